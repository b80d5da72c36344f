/** What a worker tells of a run that takes more than one turn. */
import { expect, test } from 'vitest';
import type { Span } from '../../src/foundation/trace.ts';
import { openHouse } from '../support/house.ts';
import { recordTrace } from '../support/recorded-trace.ts';
import { useRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';
import { admittedAgain, EXITED_0, openWorkerRoom, queuedRun } from './worker-room.ts';

const redis = useRedis();

const named = (spans: readonly Span[], name: string): readonly Span[] => spans.filter((span) => span.name === name);

test('a start that is put off: its wait is told with the pause in it, and what comes next begins after that', async () => {
  const house = await openHouse({ redisUrl: redis.url });
  const run = await queuedRun(house);
  let blocked: string | undefined = 'another one is at work';
  const trace = recordTrace();
  const { processor } = openWorkerRoom(house, {
    ends: EXITED_0,
    trace,
    runner: { blockedBy: async () => blocked },
  });
  await processor.process({ run: run.id, turn: 1 });
  const [postponed] = named(trace.spans, 'postponed');
  expect(postponed).toMatchObject({ parent: 'queue/1', attributes: { 'agentsmith.reason': blocked } });
  expect(named(trace.spans, 'queue').map(({ key }) => key)).toEqual(['queue/1']);

  blocked = undefined;
  const { backAtMs = 0 } = await admittedAgain(house, run.id);
  expect(backAtMs).toBeGreaterThan(run.queuedAtMs ?? 0);
  await processor.process({ run: run.id, turn: 2 });
  const keys = new Set(trace.spans.map(({ key }) => key));
  const parents = new Set(trace.spans.map(({ parent }) => parent));
  expect([...parents].filter((key) => key !== 'ticket' && !keys.has(key))).toEqual([]);
});

test('work that is handed on at a shutdown did not fail, and is told of as that', async () => {
  const house = await openHouse({ redisUrl: redis.url });
  const run = await queuedRun(house);
  const trace = recordTrace();
  const { processor, runners } = openWorkerRoom(house, { trace, runner: { leashed: false } });
  const working = processor.process({ run: run.id, turn: 1 });
  await until('it is at work', () => runners.length === 1);
  processor.letGo();
  await working;
  const [attempt] = named(trace.spans, 'attempt');
  expect(attempt).toMatchObject({ failure: undefined, attributes: { 'agentsmith.state': 'handed-on' } });
});
