/**
 * A master that hangs with open sockets, for longer than the trust of its workers (PROTOCOL 4 and 7): what was sent to it is
 * carried out when it goes on, long after whoever sent it has given up.
 */
import { expect, test } from 'vitest';
import { startTestRedis } from '../../support/redis.ts';
import { eventually, isAlive, onceAndDone, openStage, SCENE_MS, twiceAndDone } from './stage.ts';

test('Redis hangs for longer than the trust: not ready meanwhile, ready again by itself, and every ticket ends once', {
  timeout: SCENE_MS,
}, async (context) => {
  const redis = await startTestRedis();
  context.onTestFinished(() => redis.stop());
  const stage = await openStage(context, { redisUrl: redis.url });
  const { hub, replicas, site } = stage;
  const readiness = (code: number) => async (): Promise<boolean> =>
    (await Promise.all(replicas.map((replica) => replica.ready()))).every((answer) => answer.code === code);

  const running = [stage.open(), stage.open('hooked')] as const;
  await stage.kept(running[1]);
  for (const one of running) await stage.started(one);
  const [waiting, claimed] = [stage.open(), stage.open()];
  const labelling = stage.spoil(
    claimed,
    { method: 'POST', tail: '/labels', times: 1 },
    { kind: 'latency', delayMs: 400 },
  );
  await labelling.hit();
  await redis.kill('SIGSTOP');
  await eventually('no replica is ready', readiness(503));
  const answers = hub.webhooks.attempts().length;
  const told = stage.open('hooked');
  const refused = await eventually('a delivery is answered', () => hub.webhooks.attempts()[answers]);
  expect([refused.status, refused.body]).toEqual([503, '{"error":"redis_unavailable"}']);
  const pids = (await site.ledger()).map(({ pid }) => pid);
  await eventually('the commands are gone', () => !pids.some(isAlive));

  await redis.kill('SIGCONT');
  await eventually('all are ready again', readiness(200));
  await stage.kept(told);
  await stage.letAllGo();
  const all = [...running, waiting, claimed, told];
  await stage.done(all);
  expect(await stage.fates(all)).toEqual([...running.map(twiceAndDone), ...[waiting, claimed, told].map(onceAndDone)]);
});
