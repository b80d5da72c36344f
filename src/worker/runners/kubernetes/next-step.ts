/**
 * What an attempt does next about its Job. Pure: only what the cluster shows now counts, never what was sent to it before. So
 * an answer that was lost, a watch that broke and a worker that died are no cases of their own: whoever looks next sees what
 * there is, and goes on from there.
 *
 *   nothing --create--> suspended --prepare--> released --wait--> finished --conclude-->
 *                           ^ adopt: by a later attempt, at any of these
 *
 * Invariants
 * - Nothing is changed in a Job whose fence is greater than ours: a later attempt has it in hand.
 * - Every change is bound to the very state that was seen here. So one that we decided on before a pause does nothing
 *   after a later attempt has adopted the Job, which changes its fence: a superseded worker deletes no Job of its successor.
 * - A Job of another run is removed only when it has ended, or was never let go: what is at work is left alone.
 */
import { unreachable } from '../../../foundation/errors.ts';
import type { SeenJob } from './cluster.ts';

export interface Facts {
  readonly run: string;
  /** Of this attempt. */
  readonly fence: number;
  /** What has the name of our Job. */
  readonly job: SeenJob | undefined;
  /** Uid of our Job, once it has been seen. */
  readonly held: string | undefined;
  /** That it should end. */
  readonly unwanted: boolean;
}

export type Step =
  | { readonly kind: 'create' }
  | { readonly kind: 'adopt' | 'prepare' | 'remove' | 'conclude'; readonly job: SeenJob }
  /** Removes what is left of another run. */
  | { readonly kind: 'clear'; readonly job: SeenJob }
  | { readonly kind: 'wait' }
  /** Ours is gone, because we wanted it to be. */
  | { readonly kind: 'removed' }
  /** Ours is gone, and we did not want that. */
  | { readonly kind: 'vanished' }
  /** A later attempt has it. */
  | { readonly kind: 'taken' }
  /** A Job of another run is at work. */
  | { readonly kind: 'occupied' }
  /** The name is taken by something that is not ours. */
  | { readonly kind: 'foreign' };

export function nextStep({ run, fence, job, held, unwanted }: Facts): Step {
  if (held !== undefined && job?.uid !== held) return { kind: unwanted ? 'removed' : 'vanished' };
  if (job === undefined) return { kind: unwanted ? 'removed' : 'create' };
  // Fences grow with the ticket, over all of its runs.
  if (job.run !== undefined && job.fence > fence) return { kind: 'taken' };
  if (job.run !== run) return unwanted ? { kind: 'removed' } : aboutOther(job);
  switch (job.state.kind) {
    case 'complete':
    case 'failed':
      return { kind: 'conclude', job };
    case 'active':
    case 'failing':
      break;
    default:
      return unreachable(job.state);
  }
  if (job.deleting) return { kind: 'wait' };
  if (unwanted) return { kind: 'remove', job };
  if (job.fence < fence) return { kind: 'adopt', job };
  return job.released ? { kind: 'wait' } : { kind: 'prepare', job };
}

function aboutOther(job: SeenJob): Step {
  if (job.run === undefined) return { kind: 'foreign' };
  if (job.deleting) return { kind: 'wait' };
  const isOver = job.state.kind === 'complete' || job.state.kind === 'failed';
  return isOver || !job.released ? { kind: 'clear', job } : { kind: 'occupied' };
}
