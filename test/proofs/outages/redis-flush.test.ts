/**
 * FLUSHALL at the worst moments, all of them at once (PROTOCOL 7): a claim between its label and its commit, one between its
 * commit and its job, a delivery in the inbox, an attempt at work, one that has ended and whose label is not written yet.
 */
import { expect, test } from 'vitest';
import { createTicketClaimService } from '../../../src/claims/ticket-claim-service.ts';
import { keepSlotsElsewhere, silentLog } from '../../support/house.ts';
import { startTestRedis } from '../../support/redis.ts';
import { eventually, onceAndDone, openStage, SCENE_MS } from './stage.ts';

test('FLUSHALL between claim and job, during an attempt, between its end and its label: every ticket is done, once', {
  timeout: SCENE_MS,
}, async (context) => {
  const redis = await startTestRedis();
  context.onTestFinished(() => redis.stop());
  const stage = await openStage(context, { redisUrl: redis.url });
  const { house, hub } = stage;
  keepSlotsElsewhere(house, context);

  const [running, ended] = [stage.open('hooked'), stage.open()];
  await stage.kept(running);
  for (const one of [running, ended]) await stage.started(one);
  const waiting = stage.open();
  await eventually('it waits', () => stage.shows(waiting, 'agent-smith:enqueued'));
  const closing = stage.spoil(ended, { method: 'POST', tail: '/labels' }, { kind: 'answer', status: 503 });
  await stage.letGo(ended);
  await closing.hit();
  const { claimed, told, reading } = await stage.underWay();

  // A claim of this process, which loses everything right before it adds the job.
  const committed = stage.open();
  const claims = createTicketClaimService(
    {
      ...house,
      catalog: () => house.catalog,
      records: house.claimRecords,
      queue: {
        async add(turn) {
          await house.redis.read('lose everything', (client) => client.flushall());
          await house.queue.add(turn);
        },
      },
      onOutcome: undefined,
      log: silentLog,
    },
    house.timing,
  );
  const request = { project: 'api', ticketId: committed.id, trigger: 'poll' } as const;
  expect(await claims.claim(request, context.signal)).toMatchObject({ kind: 'claimed' });
  for (const spoiled of [closing, reading]) spoiled.remove();
  await stage.letAllGo();

  const all = [running, ended, waiting, claimed, told, committed];
  await stage.done(all);
  expect(await stage.fates(all)).toEqual(all.map(onceAndDone));
  expect(hub.ledger.lifecycleHistory(committed.ticket)).toEqual(['enqueued', 'in-progress', 'done']);
});
