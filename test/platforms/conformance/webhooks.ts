/** Deliveries: proven by their secret, read into exactly what happened, at the place that is watched. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isPlaceOf, type TicketNews } from '../../../src/domain/ticket-news.ts';
import type { TicketView } from '../../../src/emulators/emulated-project.ts';
import { commentMarker } from '../../../src/platforms/comment-marker.ts';
import { UnreadableWebhook, type WebhookRequest } from '../../../src/platforms/webhook.ts';
import { anyBody, everyStrangeForm, expectSafelyRead, mutated } from '../hostile-payloads.ts';
import { callOf, freshLabel, read } from './calls.ts';
import { type HookedStage, newsIn, openHookedStage, useHookedStage } from './hooked-stage.ts';
import type { At, Run } from './stages.ts';

type Act = (at: HookedStage, ticket: TicketView) => unknown;

/** With what is told of each, besides what is told of all of them. */
const CHANGES: Readonly<Record<string, readonly [Act, Partial<TicketNews>]>> = {
  'a label that people put on': [
    ({ stage }, { ticket }) => stage.project.addLabel(ticket, 'later'),
    { added: ['later'], labels: ['bug', 'later'] },
  ],
  'a label that people take off': [
    ({ stage }, { ticket }) => stage.project.removeLabel(ticket, 'bug'),
    { removed: ['bug'], labels: [] },
  ],
  'a label of ours': [
    async ({ stage: { platform } }, { id }) =>
      platform.moveLifecycle(await read(platform, id), 'enqueued', callOf({ purpose: 'label' })),
    { added: ['agent-smith:enqueued'], labels: ['agent-smith:enqueued', 'bug'] },
  ],
  'that it is closed': [({ stage }, { ticket }) => stage.project.closeTicket(ticket), { open: false }],
  'that it is reopened': [({ stage }, { ticket }) => stage.project.reopenTicket(ticket), { open: true }],
};

export function webhooks(_: At, { open }: Run): void {
  const at = useHookedStage(open);
  const openTicket = async (labels: readonly string[] = ['bug']): Promise<TicketView> => {
    const ticket = at().stage.project.openTicket({ labels });
    await at().stage.project.webhooks.settled();
    return ticket;
  };
  const oneDelivery = async (): Promise<WebhookRequest> => {
    const { ticket } = await openTicket();
    const [request] = await at().sent(() => at().stage.project.addLabel(ticket, 'later'));
    return request ?? expect.fail('nothing was sent');
  };
  const openAs = (isOpen: boolean): boolean | undefined => (at().stage.webhook.showsOpen ? isOpen : undefined);

  test('tell that a ticket was opened with its labels, and of the labels at the most one by one besides', async () => {
    const label = freshLabel();
    let id = '';
    const messages = await at().told(() => {
      ({ id } = at().stage.project.openTicket({ labels: [label] }));
    });
    const [opened, ...labelled] = messages.map(newsIn).toSorted((a, b) => a.added.length - b.added.length);
    const expected = { ticketIds: [id], about: 'ticket', removed: [], labels: [label], ownComment: false };
    expect(opened).toEqual({ ...expected, added: [], open: openAs(true) });
    expect(labelled).toEqual(labelled.map(() => ({ ...expected, added: [label], open: openAs(true) })));
    expect(labelled.length).toBeLessThan(2);
  });

  test.each(Object.entries(CHANGES))('tell of %s, once and as what it is', async (_name, [act, change]) => {
    const ticket = await openTicket();
    if (change.open === true) await at().sent(() => at().stage.project.closeTicket(ticket.ticket));
    const [news, ...more] = (await at().told(() => act(at(), ticket))).map(newsIn);
    expect(more).toEqual([]);
    expect({ ...news, labels: news?.labels?.toSorted() }).toEqual({
      ticketIds: [ticket.id],
      about: 'ticket',
      added: [],
      removed: [],
      labels: ['bug'],
      ownComment: false,
      ...change,
      open: openAs(change.open ?? true),
    });
  });

  test('tell a comment of ours from one of a person, who may quote us', async () => {
    const { id, ticket } = await openTicket();
    const { project, platform } = at().stage;
    const marker = commentMarker('01JBQ7ZZZZZZZZZZZZZZZZZZZZ');
    const theirs = await at().told(() => project.comment(ticket, `It said:\n\n${marker}\n\nWhat is that?`));
    const ours = await at().told(() => platform.comment(id, { markdown: 'It is **done**.', marker }, callOf()));
    for (const [messages, ownComment] of [[theirs, false] as const, [ours, true] as const]) {
      expect(messages).not.toEqual([]);
      for (const { labels = ['bug'], open: isOpen = openAs(true), ...news } of messages.map(newsIn)) {
        expect(news).toEqual({ ticketIds: [id], about: 'comment', added: [], removed: [], ownComment });
        expect([labels, isOpen]).toEqual([['bug'], openAs(true)]);
      }
    }
  });

  test('tell of a deleted ticket, if they do, that it is not open', async () => {
    const { id, ticket } = await openTicket();
    for (const message of await at().told(() => at().stage.project.deleteTicket(ticket))) {
      expect(newsIn(message)).toMatchObject({ ticketIds: [id], about: 'ticket', added: [], removed: [], open: false });
    }
  });

  test('name the place as its source does, and by an id that stays when it is renamed', async () => {
    await using hooked = await openHookedStage(open);
    const { stage, source, told } = hooked;
    const [message] = await told(() => stage.project.openTicket());
    const { host, container, scope } = source;
    expect(message?.place).toEqual({ host, container, scope, id: expect.stringMatching(/./) });
    stage.rename?.();
    const [later] = await told(() => stage.project.openTicket());
    expect(later?.place).toMatchObject({ id: message?.place?.id });
    expect(later?.place && isPlaceOf(later.place, source, message?.place?.id)).toBe(true);
  });

  test('have an id of their own, and the same when they are sent again', async () => {
    const { project } = at().stage;
    const { ticket } = await openTicket();
    project.webhooks.spoil('double', 1);
    const [one, again, ...more] = await at().told(() => project.addLabel(ticket, 'later'));
    expect(one?.id).toMatch(/^[A-Za-z0-9._:-]{8,200}$/);
    expect([again, more]).toEqual([one, []]);
    const [other] = await at().told(() => project.addLabel(ticket, 'even-later'));
    expect(other?.id).not.toBe(one?.id);
  });

  test('prove the secret of their hook, and nothing else proves it', async () => {
    const { dialect, stage } = at();
    const { secret } = stage.webhook;
    const request = await oneDelivery();
    expect(dialect.provesSecret(request, secret)).toBe(true);
    for (const other of ['', ' ', secret.slice(0, -4), `${secret} `, secret.toUpperCase(), `other ${secret}`]) {
      expect(dialect.provesSecret(request, other)).toBe(false);
    }
    for (const [name, value] of Object.entries(request.headers)) {
      const twice = { ...request.headers, [name]: [String(value), String(value)] };
      const without = { ...request.headers, [name]: undefined };
      // Either it has nothing to do with the proof, or without it there is none.
      expect(dialect.provesSecret({ ...request, headers: twice }, secret)).toBe(
        dialect.provesSecret({ ...request, headers: without }, secret),
      );
    }
    expect(dialect.provesSecret({ headers: {}, body: request.body }, secret)).toBe(false);
    expect(dialect.secretProblem?.(secret)).toBeUndefined();
  });

  test('prove nothing when the secret of their hook is empty', async () => {
    await using hooked = await openHookedStage(open, '');
    const { stage, dialect, sent } = hooked;
    const [request] = await sent(() => stage.project.openTicket());
    expect(request && dialect.provesSecret(request, '')).toBe(false);
  });

  test('prove it no longer when one bit has changed: of the body where that is signed, else of the secret', async () => {
    const { dialect, stage } = at();
    const { secret, isSigned } = stage.webhook;
    const { headers, body } = await oneDelivery();
    const original = isSigned ? body : Buffer.from(secret);
    fc.assert(
      fc.property(fc.nat(original.length * 8 - 1), (bit) => {
        const changed = Buffer.from(original);
        changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        const proven = isSigned
          ? dialect.provesSecret({ headers, body: changed }, secret)
          : dialect.provesSecret({ headers, body }, changed.toString('latin1'));
        expect(proven).toBe(false);
      }),
      { numRuns: 50 },
    );
  });

  test('that are none are unreadable, and whatever else comes is read as some message', async () => {
    const { dialect, stage, sent } = at();
    const { id, ticket } = await openTicket();
    const requests = await sent(async () => {
      stage.project.addLabel(ticket, 'later');
      await stage.platform.comment(id, { markdown: 'It is **done**.', marker: commentMarker('01J') }, callOf());
    });
    for (const text of ['', 'x', '[]', 'null', '7', '"text"', '{', '{"a":1}}', '['.repeat(100_000)]) {
      expect(() => dialect.read({ headers: {}, body: Buffer.from(text) })).toThrow(UnreadableWebhook);
    }
    const safely = (headers: WebhookRequest['headers']) => (body: Buffer) =>
      expectSafelyRead(dialect, { headers, body });
    for (const { headers, body } of requests) {
      const payload: unknown = JSON.parse(body.toString());
      fc.assert(fc.property(fc.oneof(mutated(payload), anyBody), safely(headers)), { numRuns: 50 });
      everyStrangeForm(payload, (one) => dialect.read({ headers, body: one })).forEach(safely(headers));
      safely(headers)(Buffer.from(`{"__proto__":${body.toString()}}`));
    }
    expect(Object.keys(Object.prototype)).toEqual([]);
  });
}
