/**
 * Redis is killed and started again (PROTOCOL 7), with tickets at every point of their way: waiting, at work, in the midst of a
 * claim, told of and not yet looked at, done.
 */
import { expect, test } from 'vitest';
import { startTestRedis } from '../../support/redis.ts';
import { eventually, isRecovering, onceAndDone, openStage, SCENE_MS } from './stage.ts';

test.concurrent.for([
  ['with its append-only file', true],
  ['without a file', false],
] as const)(
  'Redis is killed and comes back %s: every ticket is done, once, wherever it was',
  { timeout: SCENE_MS },
  async ([, appendOnly], context) => {
    const redis = await startTestRedis({ appendOnly });
    context.onTestFinished(() => redis.stop());
    const stage = await openStage(context, { redisUrl: redis.url });
    const { hub } = stage;

    const ended = stage.open();
    await stage.letGo(ended);
    await stage.done([ended]);
    const running = [stage.open(), stage.open('hooked')] as const;
    await stage.kept(running[1]);
    for (const one of running) await stage.started(one);
    const waiting = [stage.open(), stage.open('hooked')] as const;
    await stage.kept(waiting[1]);
    await eventually('both wait', () => waiting.every((one) => stage.shows(one, 'agent-smith:enqueued')));

    // One is claimed in this moment, one only told of: its ticket cannot be read yet.
    const { claimed, told, reading } = await stage.underWay();
    const historyOfEnded = hub.ledger.labelChanges(ended.ticket);
    await redis.kill('SIGKILL');
    await redis.restart();
    await eventually('all see that it is not what it was', () => stage.everyHealth(isRecovering));
    reading.remove();
    await stage.letAllGo();

    const all = [ended, ...running, ...waiting, claimed, told];
    await stage.done(all);
    expect(await stage.fates(all)).toEqual(all.map(onceAndDone));
    expect(hub.ledger.labelChanges(ended.ticket)).toEqual(historyOfEnded);
    await eventually('all are well again', () => stage.everyHealth((health) => !isRecovering(health)));
  },
);
