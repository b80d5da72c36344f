/** What every fault is: a name, and a way to play it on the world. */
import type { Timing } from '../../../src/domain/timing.ts';
import type { Chance } from '../chance.ts';
import type { EndFault } from '../chronicle.ts';
import type { World } from '../world.ts';

export interface Stage {
  readonly world: World;
  readonly chance: Chance;
  /** The protocol's durations at this run's scale. */
  readonly timing: Timing;
  /** Aborts when the faults are over: whatever holds then lets go. */
  readonly signal: AbortSignal;
  /** Notes that a fault begins now; the answer is to be called when it is over. */
  begin(name: string, target: string, hitWork: boolean): EndFault;
}

/** Plays one fault from beginning to end: whatever it breaks is whole again when it resolves. */
export type Fault = (stage: Stage) => Promise<void>;

/** How long something is away: shorter than the trust, or longer than every TTL. */
export function absenceMs({ chance, timing }: Pick<Stage, 'chance' | 'timing'>): number {
  return chance.happens(0.4)
    ? chance.between(0.1, 0.8) * timing.trustTermMs
    : chance.between(1.1, 1.7) * timing.heartbeatTtlMs;
}
