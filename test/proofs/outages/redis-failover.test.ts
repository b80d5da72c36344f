/**
 * A failover to a replica that lags (PROTOCOL 7): the newest claims, starts and ends are gone with the old master, and what is
 * left contradicts what really happened. That labels are looked after within a term too is in repair/housekeeping.test.ts.
 */
import { expect, test } from 'vitest';
import { startSentinel } from '../../support/sentinel.ts';
import { eventually, isRecovering, onceAndDone, openStage, SCENE_MS } from './stage.ts';

test('a failover that loses the newest claims, starts and ends: nothing is lost, and nothing runs twice', {
  timeout: SCENE_MS,
}, async (context) => {
  const sentinel = await startSentinel(context);
  const stage = await openStage(context, { redisUrl: sentinel.url });

  const [running, ended] = [stage.open(), stage.open('hooked')];
  await stage.kept(ended);
  for (const one of [running, ended]) await stage.started(one);
  const next = stage.open();
  await eventually('it waits', () => stage.shows(next, 'agent-smith:enqueued'));

  await sentinel.cutReplication();
  await stage.letGo(ended);
  await stage.done([ended]);
  await stage.started(next);
  const claimed = [stage.open(), stage.open('hooked')] as const;
  await stage.kept(claimed[1]);
  await eventually('both are claimed', () => claimed.every((one) => stage.shows(one, 'agent-smith:enqueued')));
  await sentinel.failOver();
  await eventually('all see that it is not what it was', () => stage.everyHealth(isRecovering));
  await stage.letAllGo();

  const all = [running, ended, next, ...claimed];
  await stage.done(all);
  expect(await stage.fates(all)).toEqual(all.map(onceAndDone));
});
