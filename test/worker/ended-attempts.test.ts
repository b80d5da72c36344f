/** Ends that Redis forgets are said again by the worker that knows them (PROTOCOL 7), and by nobody who does not own the run. */
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import type { Run } from '../../src/domain/run.ts';
import type { AttemptEnd } from '../../src/worker/attempt.ts';
import { createEndedAttempts, type EndedAttempts } from '../../src/worker/ended-attempts.ts';
import { type House, openHouse, silentLog } from '../support/house.ts';
import { dumpOf, useRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';
import { attemptOf, runningRun } from './worker-room.ts';

const redis = useRedis();
const DONE = { state: 'completed', reason: 'exit code 0' } as const;
const RESULT = { summary: 'Fixed.', links: [] };
const FINISHED: AttemptEnd = { kind: 'finished', ...DONE, result: RESULT };
let house: House;
beforeEach(async () => {
  house = await openHouse({ redisUrl: redis.url });
});

interface Room {
  readonly ended: EndedAttempts;
  /** Answers to those who said an end that was not taken. */
  readonly refusals: readonly string[];
  /** The runs whose labels were looked at, one after the other. */
  readonly looks: readonly string[];
  /** Tickets whose run was asked for, and its id. */
  readonly asked: readonly string[];
}

interface RoomOptions {
  readonly confirmedDoubtMs?: number;
  /** It never sees that a ticket has been given a further run. */
  readonly isBlind?: boolean;
  /** It comes to nothing more once Redis has taken an attempt back. */
  readonly diesRestoring?: boolean;
}

function openRoom({ confirmedDoubtMs = 60_000, isBlind = false, diesRestoring = false }: RoomOptions = {}): Room {
  const { attemptRecords, runs, redis: connection } = house;
  const over = new AbortController();
  const refusals: string[] = [];
  const [looks, asked]: [string[], string[]] = [[], []];
  const ended = createEndedAttempts(
    {
      records: {
        ...attemptRecords,
        async restore(...what) {
          const isRestored = await attemptRecords.restore(...what);
          if (diesRestoring) over.abort();
          over.signal.throwIfAborted();
          return isRestored;
        },
        async beat(name) {
          const reply = await attemptRecords.beat(name);
          refusals.push(reply.kind);
          return reply;
        },
      },
      runs: {
        get(id) {
          looks.push(id);
          return runs.get(id);
        },
        async idOfTicket(ticket) {
          const id = await runs.idOfTicket(ticket);
          asked.push(`${ticket} ${id}`);
          return isBlind ? undefined : id;
        },
      },
      incarnation: connection.incarnation,
      log: silentLog,
    },
    { heartbeatMs: 10, confirmedDoubtMs },
  );
  const keeping = ended.keep(over.signal);
  onTestFinished(async () => {
    over.abort();
    await keeping;
  });
  return { ended, refusals, looks, asked };
}

/** A run that this worker has brought to its end. */
async function endedRun(room: Room, labelState = 'unconfirmed'): Promise<Run> {
  const run = await runningRun(house);
  await house.attemptRecords.finish(attemptOf(run), { ...DONE, result: RESULT, output: '', onlyIfDead: false });
  await redis.client.hset(house.redis.keys.run(run.id), 'labelState', labelState);
  room.ended.remember(run, FINISHED);
  return run;
}

test('Redis forgets everything after an attempt has ended: its end is written again, and its label is due', async () => {
  const room = openRoom();
  const { id } = await endedRun(room);
  await redis.client.flushall();
  const run = await until('the end is on record again', async () => {
    const found = await house.runs.get(id);
    return found?.state === 'completed' ? found : undefined;
  });
  expect(run).toMatchObject({ ...DONE, attempt: 1, labelState: 'unconfirmed' });
  expect(await house.runs.result(id)).toEqual(RESULT);
  expect(await redis.client.zscore(house.redis.keys.unconfirmed, id)).not.toBeNull();
});

test('a worker that dies while it writes an end again leaves no run at work that had ended', async () => {
  const room = openRoom({ diesRestoring: true });
  const { id, ticket } = await endedRun(room);
  await redis.client.flushall();
  const run = await until('it is on record again', () => house.runs.get(id));
  expect(run).toMatchObject({ ...DONE, state: 'completed', labelState: 'unconfirmed' });
  const { keys } = house.redis;
  expect(await redis.client.exists(keys.heartbeat(ticket))).toBe(0);
  expect(await redis.client.zscore(keys.runs('running'), id)).toBeNull();
  expect(await redis.client.zscore(keys.runs('completed'), id)).not.toBeNull();
  expect(await redis.client.pttl(keys.run(id))).toBeGreaterThan(0);
  expect(await house.runs.attempts(id)).toMatchObject([
    { number: 1, end: { how: 'completed', reason: 'exit code 0' } },
  ]);
});

test('a failover loses the end alone, or the start as well: both are made good', async () => {
  const room = openRoom();
  const [started, queued] = await Promise.all([endedRun(room), endedRun(room)]);
  const { keys } = house.redis;
  await redis.client.hset(keys.run(started.id), 'state', 'running');
  await redis.client.hset(keys.run(queued.id), { state: 'queued', attempt: 0, attemptFence: 0 });
  await redis.client.hset(keys.ticket(queued.ticket), { fence: String(queued.fence) });
  await redis.client.del(keys.incarnation, ...[started, queued].map(({ id }) => keys.result(id)));
  for (const { id } of [started, queued]) {
    await until('the end is on record again', async () => (await house.runs.get(id))?.state === 'completed');
    expect(await house.runs.result(id)).toEqual(RESULT);
  }
});

test('a record that goes without a loss that is noticed is missed as well', async () => {
  const room = openRoom({ confirmedDoubtMs: 1 });
  const { id } = await endedRun(room);
  await until('it is looked after', () => room.looks.length > 0);
  await redis.client.del(house.redis.keys.run(id));
  await until('the end is on record again', async () => (await house.runs.get(id))?.state === 'completed');
});

test('a run that has been given to another attempt, and a ticket that has another run, are left alone', async () => {
  const room = openRoom({ isBlind: true });
  const [handedBack, replaced] = [await endedRun(room), await endedRun(room)];
  const { keys } = house.redis;
  const newer = String(Date.now() + 60_000);
  await redis.client.hset(keys.run(handedBack.id), { state: 'queued', attemptFence: newer, turn: 2 });
  await redis.client.hset(keys.ticket(handedBack.ticket), 'fence', newer);
  await redis.client.del(keys.run(replaced.id));
  await redis.client.hset(keys.ticket(replaced.ticket), { run: 'another', fence: newer });
  await redis.client.del(keys.incarnation);
  await until('the loss is seen', () => redis.client.exists(keys.incarnation));
  const before = await dumpOf(redis.client);
  await until('both were refused', () => room.refusals.length === 2);
  expect(room.refusals).toEqual(['superseded', 'superseded']);
  expect(await dumpOf(redis.client)).toEqual(before);
});

test('Redis forgets everything after a ticket was asked for again: the old end does not take the place of the new wish', async () => {
  const room = openRoom();
  const [old, other] = [await endedRun(room, 'confirmed'), await endedRun(room)];
  await redis.client.hset(house.redis.keys.ticket(old.ticket), 'run', 'another');
  await until('the further run is seen', () => room.asked.includes(`${old.ticket} another`));
  await redis.client.flushall();
  await until('the other end is on record again', () => house.runs.get(other.id));
  expect(await house.runs.get(old.id)).toBeUndefined();
  expect(await house.runs.idOfTicket(old.ticket)).toBeUndefined();
});

test('an end whose label is confirmed is forgotten after a while, one whose label is not stays remembered', async () => {
  const room = openRoom({ confirmedDoubtMs: 1 });
  const [confirmed, unconfirmed] = [await endedRun(room, 'confirmed'), await endedRun(room)];
  await until('the other one is looked at again', () => room.looks.filter((id) => id === unconfirmed.id).length > 2);
  expect(room.looks.filter((id) => id === confirmed.id)).toHaveLength(1);
  await redis.client.flushall();
  await until('the other one is back', () => house.runs.get(unconfirmed.id));
  expect(await house.runs.get(confirmed.id)).toBeUndefined();
});

test('what did not end the run is nothing to remember', async () => {
  const room = openRoom();
  const run = await runningRun(house);
  room.ended.remember(run, { kind: 'superseded' });
  room.ended.remember({ ...run, state: 'queued' }, FINISHED);
  const known = await endedRun(room);
  await redis.client.flushall();
  await until('the one that ended is back', () => house.runs.get(known.id));
  expect(await house.runs.get(run.id)).toBeUndefined();
});
