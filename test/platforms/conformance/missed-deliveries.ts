/** What never arrived is found at the platform, and comes back as what it was. */
import { expect, test } from 'vitest';
import { isPlaceOf } from '../../../src/domain/ticket-news.ts';
import type { MissedDelivery } from '../../../src/platforms/missed-deliveries.ts';
import type { WebhookMessage } from '../../../src/platforms/webhook.ts';
import { missedQuestion } from '../missed-question.ts';
import { callOf, failure, revealed } from './calls.ts';
import { type HookedStage, newsIn, openHookedStage } from './hooked-stage.ts';
import type { At, Run } from './stages.ts';

const CALL = callOf({ purpose: 'repair' });

export function missedDeliveries(_: At, { open }: Run): void {
  const look = ({ stage, source, receiver }: HookedStage, isOurs = (url: string) => url === receiver.url) =>
    stage.missed.look(missedQuestion(source, { isOurs, sinceMs: Date.now() - 60_000 }), CALL);

  /** Puts the label on a ticket, and nobody is told. @returns id of the ticket, and of the delivery */
  const lose = async ({ stage: { project } }: HookedStage) => {
    const { id, ticket } = project.openTicket();
    await project.webhooks.settled();
    project.webhooks.spoil('drop');
    project.addLabel(ticket, 'fix');
    await project.webhooks.settled();
    project.webhooks.mend();
    return { id, delivery: project.webhooks.attempts().at(-1)?.delivery.id };
  };

  /** What comes of it, sent once more or told at once. */
  const comeBack = async ({ told }: HookedStage, missed: MissedDelivery) => {
    let message: WebhookMessage | undefined;
    const [sent] = await told(async () => {
      message = await missed.again(CALL);
    });
    return { message: message ?? sent ?? expect.fail('it did not come back'), wasSent: message === undefined };
  };

  test('a lost delivery is found and comes back, one that has arrived is not found', async () => {
    await using hooked = await openHookedStage(open);
    const { stage, hook, receiver } = hooked;
    const { listsDeliveries, secret } = stage.webhook;
    stage.project.openTicket({ labels: ['bug'] });
    const lost = await lose(hooked);
    const answer = await look(hooked);
    expect(answer).toMatchObject({ missed: [expect.anything()], truncated: false });
    const [missed = expect.fail('nothing is missed')] = answer.missed;
    if (listsDeliveries) {
      expect(missed.id).toBe(lost.delivery);
      expect(answer.hooks.map(({ id }) => id)).toContain(hook);
      for (const { detail } of answer.hooks) expect(detail).toMatch(/\S{2}/);
      expect(revealed(answer.hooks, secret)).toEqual([]);
      expect(JSON.stringify(answer.hooks)).not.toContain(receiver.url);
    }

    const { message, wasSent } = await comeBack(hooked, missed);
    expect(message).toMatchObject({ id: missed.id, hook: missed.hook, place: { container: hooked.source.container } });
    expect(newsIn(message)).toMatchObject({
      ticketIds: [lost.id],
      about: 'ticket',
      added: listsDeliveries ? ['fix'] : [],
      labels: ['fix'],
      ownComment: false,
    });
    if (wasSent) expect((await look(hooked)).missed).toEqual([]);
  });

  test('a project that was renamed is still asked', async () => {
    await using hooked = await openHookedStage(open);
    const lost = await lose(hooked);
    hooked.stage.rename?.();
    const [missed = expect.fail('nothing is missed')] = (await look(hooked)).missed;
    const { message } = await comeBack(hooked, missed);
    expect(newsIn(message)).toMatchObject({ ticketIds: [lost.id] });
    expect(message.place && isPlaceOf(message.place, hooked.source, undefined)).toBe(true);
  });

  test('the hooks of others are left alone', async () => {
    await using hooked = await openHookedStage(open);
    await lose(hooked);
    const { hooks, missed } = await look(hooked, () => false);
    expect(hooks).toEqual([]);
    if (hooked.stage.webhook.listsDeliveries) expect(missed).toEqual([]);
  });

  test.each([500, 503])(
    'a platform that is down (%i) is an error, and never nothing that is missed',
    async (status) => {
      await using hooked = await openHookedStage(open);
      hooked.stage.server.faults.inject({}, { kind: 'answer', status });
      expect(await failure(look(hooked), hooked.stage.secret)).toMatchObject({ kind: 'unavailable', effect: 'none' });
    },
  );
}
