/** One sequence from its first step to the end of every run, in a namespace of its own. */
import { messageOf, unreachable } from '../../src/foundation/errors.ts';
import type { RedisConnection } from '../../src/redis/connection.ts';
import { claimerActs } from './actors/claimer.ts';
import { detectorActs } from './actors/detector.ts';
import { feederActs } from './actors/feeder.ts';
import { painterActs } from './actors/painter.ts';
import { personActs } from './actors/people.ts';
import { redisActs } from './actors/server.ts';
import { timeActs } from './actors/time.ts';
import { workerActs } from './actors/worker.ts';
import { playEnding } from './ending.ts';
import type { Step } from './steps.ts';
import { learnRuns, openWorld, type World } from './world.ts';

/** A sequence after which Redis or its people are where the protocol does not allow them to be. */
export class SequenceBroken extends Error {
  constructor(trace: readonly string[], cause: unknown) {
    super(`${trace.map((line) => `  ${line}`).join('\n')}\n${messageOf(cause)}`, { cause });
    this.name = 'SequenceBroken';
  }
}

/** Resolves with the number of steps that could be made. Throws `SequenceBroken`. */
export async function playSequence(base: RedisConnection, namespace: string, steps: readonly Step[]): Promise<number> {
  const world = await openWorld(base, namespace);
  try {
    let made = 0;
    for (const step of steps) if (await perform(world, step)) made += 1;
    await playEnding(world);
    return made;
  } catch (error) {
    throw new SequenceBroken(world.trace, error);
  } finally {
    await learnRuns(world);
    await world.redis.read('leave nothing behind', (client) => client.del(world.keys()));
  }
}

function perform(world: World, step: Step): Promise<boolean> {
  switch (step.by) {
    case 'claimer':
      return claimerActs(world, step);
    case 'worker':
      return workerActs(world, step);
    case 'painter':
      return painterActs(world, step);
    case 'person':
      return personActs(world, step);
    case 'feeder':
      return feederActs(world);
    case 'detector':
      return detectorActs(world, step);
    case 'time':
      return timeActs(world, step);
    case 'redis':
      return redisActs(world, step);
    default:
      return unreachable(step);
  }
}
