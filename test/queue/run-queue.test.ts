/** What we rely on in BullMQ, on a real Redis: one job per turn, nothing lost while the consumer or Redis goes away. */
import { expect, onTestFinished, test, vi } from 'vitest';
import type { Log } from '../../src/foundation/log.ts';
import {
  createRunConsumer,
  createRunQueue,
  type RunConsumer,
  type RunQueue,
  type Turn,
  type TurnOutcome,
} from '../../src/queue/run-queue.ts';
import { parseRedisUrl } from '../../src/redis/address.ts';
import { createRedisConnection, type RedisConnection } from '../../src/redis/connection.ts';
import { FAST, silentLog } from '../support/house.ts';
import { startTestRedis, useRedis } from '../support/redis.ts';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';
import { until } from '../support/until.ts';

const redis = useRedis();
const TURN: Turn = { run: 'run', turn: 1 };
const OVER: TurnOutcome = { kind: 'over' };
const QUEUE = 'agentsmith:queue:runs';

async function connect(url: string = redis.url): Promise<RedisConnection> {
  const address = parseRedisUrl(url);
  if (!address.ok) throw new Error(address.problem);
  const connection = createRedisConnection({
    address: address.options,
    namespace: 'agentsmith',
    timing: { redisCommandMs: 1_000, redisProbeMs: 100, redisSocketMs: 1_000 },
    blockMs: 100,
    freshServer: true,
    log: silentLog,
  });
  onTestFinished(() => connection.close());
  await connection.whenUp(AbortSignal.timeout(10_000));
  return connection;
}

async function openQueue(url?: string): Promise<RunQueue> {
  const queue = createRunQueue({ redis: await connect(url), log: silentLog });
  onTestFinished(() => queue.close());
  return queue;
}

/** A consumer that notes its turns; `act` says what becomes of the n-th. */
async function consume(
  act: (count: number) => Promise<TurnOutcome> = async () => OVER,
  { url, log = silentLog }: { readonly url?: string; readonly log?: Log } = {},
): Promise<RunConsumer & { readonly turns: readonly Turn[] }> {
  const turns: Turn[] = [];
  const consumer = createRunConsumer({
    redis: await connect(url),
    log,
    slots: 2,
    blockMs: 100,
    timing: FAST,
    onTurn: async (turn) => {
      turns.push(turn);
      return await act(turns.length);
    },
  });
  onTestFinished(() => consumer.close());
  return { ...consumer, turns };
}

/** A line to Redis that a test may cut: to Redis a dead process and a cut line are the same. */
async function line(): Promise<{ readonly proxy: TcpProxy; readonly url: string }> {
  const proxy = await startTcpProxy(redis.port);
  onTestFinished(() => proxy.close());
  return { proxy, url: `redis://127.0.0.1:${proxy.port}` };
}

/** A log that keeps the errors. */
function errorLog(): { readonly log: Log; readonly errors: readonly unknown[] } {
  const errors: unknown[] = [];
  const log = { ...silentLog, debug: () => undefined, error: (fields: unknown) => errors.push(fields) };
  return { log, errors };
}

test('a turn is one job: added again while it waits or is at work, nothing changes', async () => {
  const queue = await openQueue();
  await Promise.all(Array.from({ length: 20 }, () => queue.add(TURN)));
  expect(await queue.depth()).toBe(1);
  const gate = Promise.withResolvers<TurnOutcome>();
  const consumer = await consume(() => gate.promise);
  await until('the job is at work', () => consumer.active() === 1);
  await queue.add(TURN);
  await queue.repair(TURN);
  expect(await queue.isQueued(TURN)).toBe(true);
  expect(await queue.depth()).toBe(0);
  gate.resolve(OVER);
  await until('the job is over', async () => !(await queue.isQueued(TURN)));
  expect(consumer.turns).toEqual([TURN]);
});

test('a job that is over leaves nothing behind, so its turn can be added again', async () => {
  const queue = await openQueue();
  const consumer = await consume();
  await queue.add(TURN);
  await until('the first is over', async () => consumer.turns.length === 1 && !(await queue.isQueued(TURN)));
  expect(await redis.client.keys(`${QUEUE}:run-1*`)).toEqual([]);
  await queue.add(TURN);
  await until('the second was given out', () => consumer.turns.length === 2);
});

test('a turn that comes back later is given out again, after its delay', async () => {
  const queue = await openQueue();
  const times: number[] = [];
  const consumer = await consume(async (count) => {
    times.push(Date.now());
    return count === 1 ? { kind: 'later', delayMs: 300 } : OVER;
  });
  await queue.add(TURN);
  await until('it waits', async () => consumer.turns.length === 1 && (await queue.depth()) === 1);
  expect(await queue.isQueued(TURN)).toBe(true);
  await until('it was given out again', () => consumer.turns.length === 2);
  expect((times[1] ?? 0) - (times[0] ?? 0)).toBeGreaterThanOrEqual(295);
});

test('a delayed job waits its time, and repair adds none beside it', async () => {
  const queue = await openQueue();
  const addedAt = Date.now();
  await queue.add(TURN, { delayMs: 300 });
  await queue.repair(TURN);
  expect(await queue.depth()).toBe(1);
  const consumer = await consume();
  await until('it was given out', () => consumer.turns.length === 1);
  expect(Date.now() - addedAt).toBeGreaterThanOrEqual(295);
});

test('a bug in the work ends the job without a trace; repair goes by the record and adds it again', async () => {
  const queue = await openQueue();
  const { log, errors } = errorLog();
  const consumer = await consume(
    async () => {
      throw new Error('a bug');
    },
    { log },
  );
  await queue.add(TURN);
  await until('the job is gone', async () => consumer.turns.length === 1 && !(await queue.isQueued(TURN)));
  expect(errors).toEqual([{ run: 'run', error: 'a bug' }]);
  await queue.repair(TURN);
  await until('the repaired job was given out', () => consumer.turns.length === 2);
});

test('a dead job that blocks its id is replaced', async () => {
  const queue = await openQueue();
  await queue.add(TURN);
  // As BullMQ leaves a job that it retains: known, and in the set of the failed.
  await redis.client.del(`${QUEUE}:wait`, `${QUEUE}:marker`);
  await redis.client.zadd(`${QUEUE}:failed`, Date.now(), 'run-1');
  await redis.client.hset(`${QUEUE}:run-1`, 'finishedOn', '1', 'failedReason', 'stalled');
  await queue.add(TURN);
  expect(await queue.isQueued(TURN)).toBe(false);
  await queue.repair(TURN);
  expect(await queue.isQueued(TURN)).toBe(true);
  const consumer = await consume();
  await until('it was given out', () => consumer.turns.length === 1);
});

test('a job whose consumer died is given to another one', async () => {
  const queue = await openQueue();
  const { proxy, url } = await line();
  const dead = await consume(() => new Promise(() => undefined), { url });
  await queue.add(TURN);
  await until('the first consumer has it', () => dead.turns.length === 1);
  await proxy.set('refuse');
  const alive = await consume();
  await until('the second consumer was given it', () => alive.turns.length === 1);
  await until('it is over', async () => !(await queue.isQueued(TURN)));
});

test('a job that was given to another consumer meanwhile ends twice, and that is no error', async () => {
  const queue = await openQueue();
  const { proxy, url } = await line();
  const { log, errors } = errorLog();
  const gate = Promise.withResolvers<TurnOutcome>();
  const first = await consume((count) => (count === 1 ? gate.promise : Promise.resolve(OVER)), { url, log });
  await queue.add(TURN);
  await until('the first consumer has it', () => first.turns.length === 1);
  await proxy.set('refuse');
  const second = await consume(undefined, { log });
  await until('the second is done with it', async () => second.turns.length === 1 && !(await queue.isQueued(TURN)));
  await proxy.set('pass');
  gate.resolve(OVER);
  await until('the first consumer is done', () => first.active() === 0);
  await second.pause();
  await queue.add({ run: 'next', turn: 1 });
  await until('the first consumer works on', () => first.turns.length === 2);
  expect(errors).toEqual([]);
});

test('a consumer goes on after Redis was restarted, and after it hung', async () => {
  const server = await startTestRedis({ appendOnly: true });
  onTestFinished(() => server.stop());
  const queue = await openQueue(server.url);
  const consumer = await consume(undefined, { url: server.url });
  const addAndWait = async (run: string): Promise<void> => {
    const add = (): Promise<boolean> =>
      queue.add({ run, turn: 1 }).then(
        () => true,
        () => false,
      );
    await until(`${run} is added`, add);
    await until(`${run} was given out`, () => consumer.turns.some((turn) => turn.run === run));
  };
  await addAndWait('before');
  await server.kill('SIGKILL');
  await server.restart();
  await addAndWait('after-restart');
  await server.kill('SIGSTOP');
  await expect(queue.add({ run: 'hung', turn: 1 })).rejects.toThrow(/^add job: /);
  await server.kill('SIGCONT');
  await addAndWait('after-hang');
});

test('while Redis is away adding fails at once, with the operation in words', async () => {
  const { proxy, url } = await line();
  const queue = await openQueue(url);
  await proxy.set('refuse');
  await expect(queue.add(TURN)).rejects.toThrow(/^add job: /);
  await expect(queue.isQueued(TURN)).rejects.toThrow(/^look for job: /);
  await proxy.set('pass');
});

test('a first contact that fails spoils nothing: the queue works as soon as Redis answers', async () => {
  // ioredis says it on the console too.
  vi.spyOn(console, 'warn').mockReturnValue(undefined);
  onTestFinished(() => void vi.restoreAllMocks());
  await redis.client.acl('SETUSER', 'adder', 'on', '>secret', '~*', '&*', '+@all');
  onTestFinished(async () => void (await redis.client.acl('DELUSER', 'adder')));
  const connection = await connect(`redis://adder:secret@127.0.0.1:${redis.port}`);
  await redis.client.acl('SETUSER', 'adder', '-info');
  const queue = createRunQueue({ redis: connection, log: silentLog });
  onTestFinished(() => queue.close());
  await expect(queue.add(TURN)).rejects.toThrow(/add job: NOPERM/);
  await redis.client.acl('SETUSER', 'adder', '+info');
  await until('it is added', () =>
    queue.add(TURN).then(
      () => true,
      () => false,
    ),
  );
  expect(await queue.isQueued(TURN)).toBe(true);
});

test('a paused consumer takes nothing more, and its jobs at work go on', async () => {
  const queue = await openQueue();
  const gate = Promise.withResolvers<TurnOutcome>();
  const consumer = await consume(() => gate.promise);
  await queue.add(TURN);
  await until('one is at work', () => consumer.active() === 1);
  await consumer.pause();
  expect(consumer.running()).toBe(false);
  await queue.add({ run: 'next', turn: 1 });
  gate.resolve(OVER);
  await consumer.close();
  expect(consumer.turns).toEqual([TURN]);
  expect(await queue.isQueued(TURN)).toBe(false);
  // At once for another one, even if this one had its hand on it already.
  expect(await queue.depth()).toBe(1);
  const other = await consume();
  await until('another one was given it', () => other.turns.length === 1);
});
