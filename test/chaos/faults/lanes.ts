/**
 * Faults come in lanes, one per kind, side by side: each plays one fault after another, with pauses between them that
 * let the protocol breathe, until it is told to stop. So two kinds meet as they meet in production, and one kind is
 * always whole again before it breaks anew.
 */

import type { Timing } from '../../../src/domain/timing.ts';
import { sleep } from '../../../src/foundation/loop.ts';
import { createChance } from '../chance.ts';
import { type ChaosSettings, type FaultKind, timingOf } from '../settings.ts';
import type { World } from '../world.ts';
import type { Fault, Stage } from './fault.ts';
import { KILL_FAULTS, PAUSE_FAULTS } from './process-faults.ts';
import { REDIS_FAULTS } from './redis-faults.ts';
import { API_FAULTS, WEBHOOK_FAULTS } from './tracker-faults.ts';

const FAULTS: Readonly<Record<FaultKind, readonly Fault[]>> = {
  kill: KILL_FAULTS,
  pause: PAUSE_FAULTS,
  redis: REDIS_FAULTS,
  api: API_FAULTS,
  webhook: WEBHOOK_FAULTS,
};

/** Plays faults until the signal aborts; resolves when everything is whole again. */
export async function playFaults(world: World, settings: ChaosSettings, signal: AbortSignal): Promise<void> {
  const timing = timingOf(settings);
  const lane = async (kind: FaultKind): Promise<void> => {
    const chance = createChance(settings.seed, `faults ${kind}`);
    const stage: Stage = {
      world,
      chance,
      timing,
      signal,
      begin: (name, target, hitWork) => world.chronicle.fault({ kind, name, target, hitWork }),
    };
    while (await sleep(chance.between(0.4, 1.6) * settings.calm * pauseMs(kind, timing), signal)) {
      await chance.pick(FAULTS[kind])(stage);
    }
  };
  await Promise.all(settings.faults.map(lane));
}

/**
 * About how long a lane is quiet between two faults: a ticket must have time to get somewhere. After a loss of data nothing
 * starts and nothing is repaired for a while.
 */
function pauseMs(kind: FaultKind, timing: Timing): number {
  return kind === 'redis' ? 2 * timing.recoveryRepairMs : 2.5 * timing.heartbeatTtlMs;
}
