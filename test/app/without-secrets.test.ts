/** What platforms and runners answered reaches Redis in reasons and decisions, and may quote the token it was sent. */
import { expect, test } from 'vitest';
import { withoutSecrets } from '../../src/app/without-secrets.ts';
import type { Run } from '../../src/domain/run.ts';
import { createRedactor } from '../../src/foundation/redactor.ts';
import { type House, openHouse, REPOSITORY, TOKEN } from '../support/house.ts';
import { useRedis } from '../support/redis.ts';

const redis = useRedis();
const never = new AbortController().signal;
const QUOTE = `cannot clone https://x:${TOKEN}@host/`;
const REDACTED = 'cannot clone https://x:[redacted]@host/';
const SAYS = { summary: QUOTE, links: [{ title: QUOTE, url: `https://host/?key=${TOKEN}` }] };

async function queuedRun(): Promise<{ house: House; run: Run }> {
  const house = await openHouse({ redisUrl: redis.url });
  house.hub.openIssue(REPOSITORY, { labels: ['agent-smith'] });
  await house.claims.claim({ project: 'api', ticketId: '1', trigger: 'poll' }, never);
  return { house, run: await runOf(house) };
}

async function runOf(house: House): Promise<Run> {
  const run = await house.runs.ofTicket(house.keyOf(1));
  if (run === undefined) throw new Error('the ticket has no run');
  return run;
}

test('no reason and no decision keeps a secret in Redis', async () => {
  const { house, run } = await queuedRun();
  const { attemptRecords, labelRecords, decisions } = withoutSecrets(house, createRedactor([TOKEN]));

  await labelRecords.settle(run, { kind: 'refused', reason: QUOTE });
  expect(await runOf(house)).toMatchObject({ labelReason: REDACTED });

  for (const end of ['hand-back', 'finish'] as const) {
    await attemptRecords.start(await runOf(house), 'worker');
    const { id, ticket, attempt, attemptFence: fence } = await runOf(house);
    const name = { run: id, ticket, attempt, fence };
    if (end === 'finish') {
      await attemptRecords.finish(name, {
        state: 'failed',
        reason: QUOTE,
        output: QUOTE,
        result: SAYS,
        onlyIfDead: false,
      });
      expect(await house.runs.output(id)).toBe(REDACTED);
      expect(JSON.stringify(await house.runs.result(id))).not.toContain(TOKEN);
    } else {
      await attemptRecords.handBack(name, { reason: QUOTE, interrupted: false, onlyIfDead: false });
    }
    expect(await runOf(house)).toMatchObject({ reason: REDACTED });
  }

  await decisions.record({ ticket: run.ticket, project: 'api', by: 'repair', outcome: QUOTE, detail: QUOTE });
  expect((await decisions.latest(1))[0]).toMatchObject({ outcome: REDACTED, detail: REDACTED });

  for (const key of await redis.client.keys('agentsmith:run:*')) {
    expect(JSON.stringify(await redis.client.hgetall(key))).not.toContain(TOKEN);
  }
});

test('nor does an end that is written again from memory', async () => {
  const { house, run } = await queuedRun();
  const { attemptRecords } = withoutSecrets(house, createRedactor([TOKEN]));
  await attemptRecords.start(run, 'worker');
  const running = await runOf(house);
  await redis.client.flushall();
  expect(await attemptRecords.restore(running, { state: 'failed', reason: QUOTE, result: SAYS })).toBe(true);
  expect(await runOf(house)).toMatchObject({ reason: REDACTED });
  expect(await house.runs.result(run.id)).toMatchObject({ summary: REDACTED });
});

test('the reason of a run that ends in the queue keeps no secret either', async () => {
  const { house, run } = await queuedRun();
  const { attemptRecords } = withoutSecrets(house, createRedactor([TOKEN]));
  expect(await attemptRecords.endQueued(run, 'failed', QUOTE)).toBeDefined();
  expect(await runOf(house)).toMatchObject({ reason: REDACTED });
});

test('what a service told of a run keeps no secret', async () => {
  const { house, run } = await queuedRun();
  const { callbackRecords } = withoutSecrets(house, createRedactor([TOKEN]));
  await callbackRecords.keep(run.id, JSON.stringify({ state: 'failed', reason: QUOTE }));
  expect(await redis.client.hget(house.redis.keys.callback(run.id), 'told')).toBe(
    JSON.stringify({ state: 'failed', reason: REDACTED }),
  );
});
