/**
 * What an attempt does to its Job: each act is sent once, bound to what was seen, and only while this attempt is certainly the
 * run's, with more trust left than the request may take. Whatever came of it, also of one without an answer, shows in the
 * next look. Only what can never come of it is told, as a sentence for people.
 */
import type { Timing } from '../../../domain/timing.ts';
import { unreachable } from '../../../foundation/errors.ts';
import type { Trust } from '../../trust.ts';
import { describeTicket } from '../describe-ticket.ts';
import type { RunnerRequest } from '../runner.ts';
import { type ClusterCall, ClusterError, type Namespace, type SeenJob } from './cluster.ts';
import { type JobSpec, jobManifest, MOST_TICKET_BYTES, secretManifest } from './job-manifest.ts';
import { ATTEMPT, FENCE, RELEASED } from './job-words.ts';
import type { Retry } from './retry.ts';

/** Why it will never be done; undefined when it was, or may be yet. */
export type Refusal = string | undefined;

export interface JobHands {
  create(): Promise<Refusal>;
  /** Makes it known that this attempt has the Job in hand. */
  adopt(job: SeenJob): Promise<Refusal>;
  /** Makes the Secret, and lets the Job go. */
  prepare(job: SeenJob): Promise<Refusal>;
  /** Deletes a Job of an earlier run. */
  clear(job: SeenJob): Promise<Refusal>;
  /** Deletes ours; it is gone when its pods are. */
  remove(job: SeenJob): Promise<Refusal>;
}

export interface JobHandsDeps {
  readonly namespace: Namespace;
  readonly trust: Trust;
  readonly retry: Retry;
  readonly call: ClusterCall;
}

export interface JobHandsOptions extends Pick<Timing, 'clusterCallMs'> {
  readonly request: RunnerRequest;
  readonly spec: JobSpec;
  /** The environment of the work. */
  readonly variables: Readonly<Record<string, string>>;
}

export function createJobHands(deps: JobHandsDeps, options: JobHandsOptions): JobHands {
  const { namespace, trust, retry, call } = deps;
  const { request, spec, variables } = options;
  const { attempt, fence } = request;

  const change = async (what: string, act: () => Promise<void>): Promise<Refusal> => {
    if (trust.leftMs() <= options.clusterCallMs) {
      await retry.breathe(call.signal);
      return undefined;
    }
    try {
      await act();
      retry.succeeded();
      return undefined;
    } catch (error) {
      if (!(error instanceof ClusterError)) throw error;
      switch (error.kind) {
        case 'conflict':
        case 'exists':
        case 'expired':
          await retry.breathe(call.signal);
          return undefined;
        case 'unavailable':
          await retry.pause(error, call.signal);
          return undefined;
        case 'not-found':
        case 'refused':
        case 'invalid':
          return `${what} in namespace ${namespace.name}: ${error.message}`;
        default:
          return unreachable(error.kind);
      }
    }
  };
  /** What is gone meanwhile, the next look finds gone. */
  const ifThere = (act: Promise<void>): Promise<void> => act.catch(unless('not-found'));

  return {
    create: () =>
      change('The Job cannot be created', () =>
        namespace.createJob(jobManifest(request, spec, Object.keys(variables)), call),
      ),
    adopt(job) {
      const annotations = { [FENCE]: String(fence), [ATTEMPT]: String(attempt) };
      return change('The Job cannot be adopted', () => ifThere(namespace.patchJob(job, { annotations }, call)));
    },
    async prepare(job) {
      const ticket = describeTicket(request, MOST_TICKET_BYTES);
      const secret = secretManifest(job, { ticket, variables });
      let isThere = false;
      const refused = await change('The Secret of the Job cannot be made', async () => {
        // One of that name belongs to this very Job.
        await namespace.createSecret(secret, call).catch(unless('exists'));
        isThere = true;
      });
      if (refused !== undefined || !isThere) return refused;
      const released = { annotations: { [RELEASED]: String(fence) }, suspend: false } as const;
      return await change('The Job cannot be released', () => ifThere(namespace.patchJob(job, released, call)));
    },
    clear: (job) =>
      change('The Job of an earlier run cannot be deleted', () =>
        ifThere(namespace.deleteJob(job, 'background', call)),
      ),
    remove: (job) => change('The Job cannot be deleted', () => ifThere(namespace.deleteJob(job, 'foreground', call))),
  };
}

function unless(kind: ClusterError['kind']): (error: unknown) => void {
  return (error) => {
    if (!(error instanceof ClusterError && error.kind === kind)) throw error;
  };
}
