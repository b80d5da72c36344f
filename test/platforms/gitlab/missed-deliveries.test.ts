/** What GitLab could not deliver, asked of the emulator through the real client. */
import { expect, test } from 'vitest';
import type { GitLabEmulatorOptions } from '../../../src/emulators/gitlab/gitlab-emulator.ts';
import { openGitLabMissedDeliveries } from '../../../src/platforms/gitlab/missed-deliveries.ts';
import { gitlabWebhook } from '../../../src/platforms/gitlab/webhook.ts';
import type { MissedQuestion } from '../../../src/platforms/missed-deliveries.ts';
import { webhookReceiver } from '../../emulators/webhook-receiver.ts';
import { callOf, failure } from '../conformance/calls.ts';
import { missedQuestion } from '../missed-question.ts';
import { connected, PROJECT, TOKEN } from './connected.ts';

const SECRET = 'a plain token';
const CALL = callOf({ purpose: 'repair' });

async function hooked(options: GitLabEmulatorOptions = {}) {
  const receiver = await webhookReceiver();
  const tokens = { smith: { token: TOKEN, login: 'smith', access: 'maintainer' } } as const;
  const { server, source, transport, gitlab } = await connected({ tokens, ...options });
  const hook = server.addWebhook(PROJECT, { url: receiver.url, secret: SECRET });
  const missed = openGitLabMissedDeliveries({
    source,
    transport,
    tickets: {},
    credential: { kind: 'token', token: TOKEN },
  });
  const question = missedQuestion(source, { isOurs: (url) => url === receiver.url });
  const open = async (title: string, status: number) => {
    receiver.status = status;
    server.openIssue(PROJECT, { title, labels: ['fix'] });
    await server.webhooks.settled();
  };
  return {
    receiver,
    server,
    gitlab,
    transport,
    hook,
    open,
    look: (more: Partial<MissedQuestion> = {}) => missed.look({ ...question, ...more }, CALL),
    received: () => receiver.received.map(gitlabWebhook.read),
    spoilNext: (status: number) =>
      server.faults.inject({ path: /resend/, times: 1 }, { kind: 'answer', status, body: {} }),
  };
}

test('what did not arrive is sent once more under the same id, and is missed no longer when it has arrived', async () => {
  const { open, look, server, receiver, received, hook } = await hooked();
  await open('arrives', 202);
  await open('answered 503', 503);
  await open('answered 401', 401);
  server.webhooks.spoil('drop', 1);
  await open('lost on the way', 202);
  const [arrived, ...lost] = server.webhooks.attempts().map(({ delivery }) => delivery.id);

  const { hooks, missed, truncated } = await look();
  expect(hooks).toEqual([{ id: hook, state: 'active', detail: 'GitLab sends to it' }]);
  expect(missed.map(({ id }) => id)).toEqual(lost);
  expect(missed.map(({ hook: named }) => named)).toEqual([undefined, undefined, undefined]);
  expect(truncated).toBe(false);

  receiver.status = 202;
  receiver.received.length = 0;
  for (const one of missed) {
    expect(await one.again(CALL)).toBeUndefined();
    await server.webhooks.settled();
  }
  expect(received().map(({ id, hook: named, news }) => [id, named, news])).toEqual(
    lost.map((id, index) => [
      id,
      undefined,
      expect.objectContaining({ ticketIds: [String(index + 2)], labels: ['fix'] }),
    ]),
  );
  expect(receiver.received.map(({ headers }) => headers['x-gitlab-token'])).toEqual([SECRET, SECRET, SECRET]);
  expect((await look()).missed).toEqual([]);
  expect(lost).not.toContain(arrived);
});

test('an event that failed twice is missed once, at the time of its first attempt', async () => {
  let nowMs = Date.parse('2026-01-01T00:00:00Z');
  const { open, look, server, receiver } = await hooked({ nowMs: () => nowMs });
  await open('one', 503);
  nowMs += 60_000;
  const [first] = (await look()).missed;
  await first?.again(CALL);
  await server.webhooks.settled();
  expect(receiver.received).toHaveLength(2);
  const again = await look();
  expect(again.missed).toMatchObject([{ id: first?.id, atMs: nowMs - 60_000 }]);
});

test('nothing older is asked for, the oldest come first, and no more than asked for', async () => {
  let nowMs = Date.parse('2026-01-01T00:00:00Z');
  const { open, look, server } = await hooked({ nowMs: () => nowMs });
  for (const title of ['a', 'b', 'c']) {
    await open(title, 503);
    nowMs += 60_000;
  }
  const ids = server.webhooks.attempts().map(({ delivery }) => delivery.id);
  const young = await look({ sinceMs: nowMs - 2 * 60_000 });
  expect(young.missed.map(({ id, atMs }) => [id, atMs])).toEqual([
    [ids[1], nowMs - 2 * 60_000],
    [ids[2], nowMs - 60_000],
  ]);
  const few = await look({ most: 2 });
  expect([few.missed.map(({ id }) => id), few.truncated]).toEqual([ids.slice(0, 2), true]);
});

test('events are read page by page, as far as they are young enough', async () => {
  let nowMs = Date.parse('2026-01-01T00:00:00Z');
  const { look, server } = await hooked({ nowMs: () => nowMs });
  server.openIssue(PROJECT);
  await server.webhooks.settled();
  nowMs += 60_000;
  for (let n = 0; n < 45; n += 1) server.comment(`${PROJECT}#1`, 'again');
  await server.webhooks.settled();
  expect((await look({ sinceMs: nowMs })).truncated).toBe(false);
  expect(server.ledger.requests({ operation: 'hooks/events' })).toHaveLength(3);
});

test('a list without end is not read without end, and what it has shown counts', async () => {
  const { server, look } = await hooked();
  const event = { request_data: {}, created_at: '2026-01-01T00:00:00Z' };
  const body = [
    { ...event, id: 3, response_status: '503', request_headers: { 'Idempotency-Key': 'lost' } },
    { ...event, id: 2, response_status: '202', request_headers: { 'Idempotency-Key': 'arrived later' } },
    { ...event, id: 1, response_status: '503', request_headers: { 'Idempotency-Key': 'arrived later' } },
  ];
  const headers = { link: '<http://elsewhere/events?page=2>; rel="next"' };
  server.faults.inject({ path: /events\?/ }, { kind: 'answer', status: 200, body, headers });
  const { missed, truncated } = await look();
  expect([missed.map(({ id }) => id), truncated]).toEqual([['lost'], true]);
});

test('a hook that GitLab holds back is failing, and what it lost is told from the list of what was sent', async () => {
  let nowMs = Date.parse('2026-01-01T00:00:00Z');
  const { open, look, receiver, hook } = await hooked({ nowMs: () => nowMs });
  for (const title of ['a', 'b', 'c', 'd', 'never sent']) await open(title, 503);
  expect(receiver.received).toHaveLength(4);
  receiver.status = 202;
  const { hooks, missed } = await look();
  expect(hooks).toMatchObject([{ id: hook, state: 'failing' }]);
  expect(hooks[0]?.detail).toContain('until 2026-01-01T00:01:00.000Z');
  expect(hooks[0]?.detail).not.toContain(receiver.url);
  const messages = await Promise.all(missed.map((one) => one.again(CALL)));
  expect(messages.map((message) => message?.id)).toEqual(missed.map(({ id }) => id));
  expect(messages[0]).toEqual(receiver.received.map(gitlabWebhook.read)[0]);
  nowMs += 60_001;
  expect((await look()).hooks).toMatchObject([{ state: 'active' }]);
});

test('after 40 failures in a row a hook is disabled', async () => {
  let nowMs = Date.parse('2026-01-01T00:00:00Z');
  const { open, look, hook } = await hooked({ nowMs: () => nowMs });
  for (let n = 0; n < 40; n += 1) {
    await open(`failure ${n}`, 503);
    nowMs += 86_400_001;
  }
  expect((await look()).hooks).toMatchObject([{ id: hook, state: 'disabled' }]);
});

test('GitLab sends five a minute: the others are told, and the limit holds back nothing else', async () => {
  const { server, open, look, receiver, gitlab } = await hooked();
  // Never two failures in a row.
  for (let n = 0; n < 8; n += 1) {
    await open(`lost ${n}`, 503);
    await open(`arrives ${n}`, 202);
  }
  const { missed } = await look();
  const told = [];
  for (const one of missed) told.push(await one.again(CALL));
  await server.webhooks.settled();
  expect(told.map((message) => message?.news)).toMatchObject([
    ...Array.from({ length: 5 }, () => undefined),
    ...[11, 13, 15].map((iid) => ({ ticketIds: [String(iid)] })),
  ]);
  expect(receiver.received).toHaveLength(16 + 5);
  expect(server.ledger.requests({ operation: 'hooks/resend', status: 429 })).toHaveLength(1);
  expect((await gitlab.readTicket('1', CALL)).title).toBe('lost 0');
});

test.each([
  ['refuses to send it', 422, {}],
  ['may not be asked to', 403, {}],
  ['does not reach us', 201, { response_status: 'internal error' }],
  ['is refused by us', 201, { response_status: 503 }],
])('when GitLab %s, the event itself is told', async (_, status, body) => {
  const { server, open, look } = await hooked();
  await open('lost', 503);
  const { missed } = await look();
  server.faults.inject({ path: /resend/ }, { kind: 'answer', status, body });
  expect(await missed[0]?.again(CALL)).toMatchObject({ id: missed[0]?.id, event: 'issue', news: { ticketIds: ['1'] } });
});

test('of an event that was too large for the list GitLab must send the whole, or the refusal is shown', async () => {
  const { server, open, look, spoilNext } = await hooked();
  await open('lost', 503);
  const event = {
    id: 1,
    response_status: '503',
    request_headers: { 'Idempotency-Key': 'k' },
    request_data: { oversize: true },
  };
  server.faults.inject({ path: /events\?/, times: 1 }, { kind: 'answer', status: 200, body: [event] });
  const { missed } = await look({ sinceMs: 7 });
  expect(missed).toMatchObject([{ id: 'k', atMs: 7 }]);
  spoilNext(422);
  expect(await failure(Promise.resolve(missed[0]?.again(CALL)), TOKEN)).toMatchObject({ status: 422 });
  expect(await missed[0]?.again(CALL)).toBeUndefined();
});

test('an older server, which sends no key and tells no time, is understood too', async () => {
  const { server, look } = await hooked();
  const event = (id: number, response_status: string | number) => ({
    id,
    response_status,
    request_headers: {},
    request_data: { object_kind: 'issue', object_attributes: { updated_at: '2026-01-01 00:00:05 UTC' } },
  });
  server.faults.inject({ path: /events\?/ }, { kind: 'answer', status: 200, body: [event(9, 500), event(8, 200)] });
  const { missed } = await look();
  expect(missed).toMatchObject([{ id: 'event-9', atMs: Date.parse('2026-01-01T00:00:05Z') }]);
  expect((await look({ sinceMs: Date.parse('2026-01-01T00:00:06Z') })).missed).toEqual([]);
});

test('a token whose owner is no maintainer may not look', async () => {
  const { look } = await hooked({ tokens: { smith: { token: TOKEN, access: 'developer' } } });
  expect(await failure(look(), TOKEN)).toMatchObject({ kind: 'auth', status: 403 });
});

test('a token that may only read looks, and tells what it cannot have sent', async () => {
  const { open, look } = await hooked({
    tokens: { smith: { token: TOKEN, scopes: ['read_api'], access: 'maintainer' } },
  });
  await open('lost', 503);
  const [lost] = (await look()).missed;
  expect(await lost?.again(CALL)).toMatchObject({ news: { ticketIds: ['1'] } });
});
