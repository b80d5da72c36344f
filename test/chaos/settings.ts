/** What a chaos run is asked to do, and what its time scale makes of the protocol's durations. */
import { DEFAULT_TIMING, scaleTiming, type Timing } from '../../src/domain/timing.ts';

export const FAULT_KINDS = ['kill', 'pause', 'redis', 'api', 'webhook'] as const;

/** `kill` ends processes, `pause` stops them, `redis` is all that happens to Redis and the way there. */
export type FaultKind = (typeof FAULT_KINDS)[number];

export interface ChaosSettings {
  /** Tickets that people open. */
  readonly tickets: number;
  readonly replicas: number;
  /** Chooses everything that is left to chance. */
  readonly seed: number;
  readonly faults: readonly FaultKind[];
  /** Factor on every duration of the protocol. */
  readonly scale: number;
  /** Tickets that people open per second. */
  readonly pace: number;
  /** Factor on the quiet between two faults. */
  readonly calm: number;
  /** Share of the commands that work for long: up to `longest` times the life of a heartbeat, so that two could meet. */
  readonly long: number;
  readonly longest: number;
  /** Names of guards to take out (test/support/sabotage.mjs): the harness is to notice. */
  readonly without: readonly string[];
  /** Told in words what happens. */
  readonly report: (text: string) => void;
}

/** About 45 s; `npm test` plays it with fewer tickets. */
export const SHORT_FORM: Omit<ChaosSettings, 'report'> = {
  tickets: 100,
  replicas: 3,
  seed: 1,
  faults: FAULT_KINDS,
  scale: 0.05,
  pace: 10,
  calm: 0.4,
  long: 0.3,
  longest: 2,
  without: [],
};

export function timingOf({ scale }: Pick<ChaosSettings, 'scale'>): Timing {
  return scaleTiming(DEFAULT_TIMING, scale);
}

/** How to see the same play again; what the machine makes of it differs from time to time. */
export function replayCommand(settings: ChaosSettings): string {
  const { tickets, replicas, seed, faults, scale, pace, calm, long, longest, without } = settings;
  const options = {
    tickets,
    replicas,
    seed,
    faults: faults.join(','),
    scale,
    pace,
    calm,
    long,
    longest,
    ...(without.length === 0 ? {} : { without: without.join(',') }),
  };
  const words = Object.entries(options).map(([name, value]) => `--${name} ${value}`);
  return ['npm run chaos --', ...words].join(' ');
}
