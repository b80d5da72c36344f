/**
 * What may happen, as plain data: somebody acts on a ticket. A step that cannot be made at that moment (a worker without
 * an attempt beats) is no step: so any list of steps is a sequence, and any part of it is one too, which is what makes a
 * counterexample shrink to its few steps that matter.
 *
 * `next` is what its actor does when all goes well: a claimer begins, reads, labels, commits; a worker takes, starts,
 * finishes; a painter looks, writes, settles. Everything between two `next` of one actor is what others do meanwhile;
 * `whole` and `job` are several at once, so that a sequence gets somewhere.
 */
import fc from 'fast-check';
import { unreachable } from '../../src/foundation/errors.ts';

/** Every act, and how often it is drawn beside the others of its actor. */
const ACTS = {
  claimer: { whole: 6, next: 6, look: 1, fail: 1, refused: 1, half: 1, 'give-back': 1, die: 1 },
  worker: {
    job: 5,
    next: 5,
    beat: 5,
    fail: 1,
    drain: 2,
    'not-started': 1,
    postpone: 2,
    leave: 1,
    'cancel-queued': 1,
    'old-job': 1,
    'old-turn': 1,
    'say-again': 2,
    die: 1,
  },
  painter: { whole: 4, next: 6, 'old-run': 1, refused: 1, 'given-up': 1, unwritable: 1, die: 1 },
  person: { pending: 4, clear: 2, verdict: 1, enqueued: 1, 'in-progress': 1, cancel: 1 },
  time: { heartbeat: 6, lock: 3, 'back-off': 2, 'put-off': 3, day: 1, run: 1, ticket: 1 },
  feeder: { feed: 1 },
  detector: { judge: 3, 'hand-back': 3, fail: 1 },
  redis: { recover: 9, reconnect: 1, flush: 2, copy: 2, 'fail-over': 2 },
} as const;

type Actor = keyof typeof ACTS;
type Act<By extends Actor> = Extract<keyof (typeof ACTS)[By], string>;

export type Step =
  | {
      readonly by: 'claimer';
      readonly who: number;
      readonly act: Act<'claimer'>;
      readonly ticket: string;
      readonly trigger: 'poll' | 'reconcile' | 'manual';
    }
  | {
      readonly by: 'worker';
      readonly who: number;
      readonly act: Act<'worker'>;
      readonly ticket: string;
      /** The answer of Redis is lost on its way. */
      readonly lost: boolean;
    }
  | {
      readonly by: 'painter';
      readonly who: number;
      readonly act: Act<'painter'>;
      readonly ticket: string;
    }
  | { readonly by: 'person'; readonly act: Act<'person'>; readonly ticket: string }
  /** A time to live is over. */
  | { readonly by: 'time'; readonly act: Act<'time'>; readonly ticket: string }
  | { readonly by: 'feeder'; readonly act: Act<'feeder'> }
  | { readonly by: 'detector'; readonly act: Act<'detector'>; readonly ticket: string }
  /** `recover`: the loss is noticed, or the next window after it is over. `copy`: a replica has everything up to here; `fail-over`: it takes over, and what came after is lost. */
  | { readonly by: 'redis'; readonly act: Act<'redis'> };

export type StepBy<By extends Step['by']> = Extract<Step, { by: By }>;

export const CLAIMERS = 2;
export const WORKERS = 3;
export const PAINTERS = 2;
export const TICKETS = ['1', '2'] as const;

/** Mostly the first, so that much happens to one ticket. */
const ticket = fc.constantFrom<(typeof TICKETS)[number]>('1', '1', '1', '2');
const trigger = fc.constantFrom('poll', 'reconcile', 'manual');
const lost = fc.nat({ max: 7 }).map((n) => n === 7);
const oneOf = (many: number): fc.Arbitrary<number> => fc.nat({ max: many - 1 });

function by<By extends Actor>(actor: By): { readonly by: fc.Arbitrary<By>; readonly act: fc.Arbitrary<Act<By>> } {
  const acts = Object.entries(ACTS[actor]) as [Act<By>, number][];
  const act = fc.oneof(...acts.map(([name, weight]) => ({ weight, arbitrary: fc.constant(name) })));
  return { by: fc.constant(actor), act };
}

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 7, arbitrary: fc.record({ ...by('claimer'), who: oneOf(CLAIMERS), ticket, trigger }) },
  { weight: 14, arbitrary: fc.record({ ...by('worker'), who: oneOf(WORKERS), ticket, lost }) },
  { weight: 6, arbitrary: fc.record({ ...by('painter'), who: oneOf(PAINTERS), ticket }) },
  { weight: 2, arbitrary: fc.record({ ...by('person'), ticket }) },
  { weight: 4, arbitrary: fc.record({ ...by('time'), ticket }) },
  { weight: 4, arbitrary: fc.record({ ...by('detector'), ticket }) },
  { weight: 4, arbitrary: fc.record(by('feeder')) },
  { weight: 3, arbitrary: fc.record(by('redis')) },
);

export function sequences(length: number): fc.Arbitrary<Step[]> {
  // Without bias: short ones prove little.
  return fc.noBias(fc.array(step, { minLength: 1, maxLength: length, size: 'max' }));
}

/** One step in words: `worker 1 beat`. */
export function inWords(step: Step): string {
  switch (step.by) {
    case 'claimer':
      return `claimer ${step.who} ${step.act} (ticket ${step.ticket}, ${step.trigger})`;
    case 'worker':
      return `worker ${step.who} ${step.act} (ticket ${step.ticket}${step.lost ? ', answer lost' : ''})`;
    case 'painter':
      return `painter ${step.who} ${step.act} (ticket ${step.ticket})`;
    case 'redis':
    case 'feeder':
      return `${step.by} ${step.act}`;
    case 'person':
    case 'time':
    case 'detector':
      return `${step.by} ${step.act} (ticket ${step.ticket})`;
    default:
      return unreachable(step);
  }
}
