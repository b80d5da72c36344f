/**
 * Runs an attempt as a Kubernetes Job. The Job does not need its worker: when that dies, leaves or loses its trust the Job goes
 * on, and the next attempt of the run adopts it, or what came of it. Only a cancelled run and a time that is up end it from here.
 *
 * The Job's own deadline ends it in time, also while nobody of us is there. Ours is later, for a Job whose deadline does not
 * count (somebody suspended it) or a cluster that does not obey it. Later still the attempt itself is over, whatever the cluster
 * shows or does not: it must not hold its slot for ever. How its Job ended, the next attempt may see, here or elsewhere.
 */
import type { Timing } from '../../../domain/timing.ts';
import { messageOf, unreachable } from '../../../foundation/errors.ts';
import type { Log } from '../../../foundation/log.ts';
import { LONGEST_TIMER_MS } from '../../../foundation/loop.ts';
import type { Redactor } from '../../../foundation/redactor.ts';
import { createTrust } from '../../trust.ts';
import { type HostEnvironment, remoteEnvironment } from '../command-environment.ts';
import type { Runner, RunnerEnd, RunnerHandle, RunnerQuestion, RunnerRequest, StopReason } from '../runner.ts';
import { type Cluster, ClusterError } from './cluster.ts';
import { attemptJob, type JobAttemptEnd } from './job-attempt.ts';
import { type JobSpec, TICKET_FILE } from './job-manifest.ts';
import { jobName } from './job-words.ts';
import { nextStep } from './next-step.ts';

export interface KubernetesRequest extends RunnerRequest {
  readonly job: JobSpec;
}

export interface KubernetesRunnerDeps {
  /** Rejects with a sentence for people when there is none. */
  readonly cluster: () => Promise<Cluster>;
  readonly log: Log;
  readonly redactor: Redactor;
}

export interface KubernetesRunnerOptions {
  /** The environment of the server, of which a Job sees what its pipeline names. */
  readonly hostEnv: HostEnvironment;
  readonly timing: Timing;
}

export function createKubernetesRunner(
  { cluster, log, redactor }: KubernetesRunnerDeps,
  { hostEnv, timing }: KubernetesRunnerOptions,
): Runner<KubernetesRequest> {
  const start = (request: KubernetesRequest): RunnerHandle => {
    const { job: spec, timeoutMs } = request;
    const trust = createTrust({ ...timing, startedAt: request.trustedSince });
    const unwanted = new AbortController();
    const leaving = new AbortController();
    let stopReason: StopReason | undefined;
    let patience: NodeJS.Timeout | undefined;

    /** It says nothing about what an earlier attempt may have at work. */
    const notBegun = (reason: string): RunnerEnd => ({
      kind: request.adopts ? 'lost' : 'not-started',
      reason,
      outputTail: '',
    });

    const work = async (): Promise<JobAttemptEnd> => {
      const environment = remoteEnvironment(request, spec, hostEnv);
      if (environment.kind === 'refused') return notBegun(environment.reason);
      let opened: Cluster;
      try {
        opened = await cluster();
      } catch (error) {
        return notBegun(messageOf(error));
      }
      return await attemptJob(
        { namespace: opened.namespace(spec.namespace), trust, log, redactor },
        {
          request,
          spec,
          variables: { ...environment.env, AGENTSMITH_TICKET_FILE: TICKET_FILE },
          secrets: [...redactor.secrets(), ...spec.passEnv.map((name) => hostEnv[name] ?? '')],
          timing,
          unwanted: unwanted.signal,
          leaving: leaving.signal,
        },
      );
    };

    const timedOut = ({ outputTail, problem }: Extract<JobAttemptEnd, { kind: 'removed' | 'left' }>): RunnerEnd => ({
      kind: 'timed-out',
      timeoutMs,
      outputTail,
      ...(problem !== undefined && { detail: problem }),
    });
    const toEnd = (end: JobAttemptEnd): RunnerEnd => {
      const { outputTail } = end;
      switch (end.kind) {
        case 'removed':
          return stopReason === undefined ? timedOut(end) : { kind: 'stopped', reason: stopReason, outputTail };
        case 'left':
          if (stopReason !== undefined) return { kind: 'stopped', reason: stopReason, outputTail };
          // It may have ended well while nobody could see it; only one that is being deleted cannot any more.
          return end.deleting ? timedOut(end) : { kind: 'lost', reason: `its time is up, and ${end.why}`, outputTail };
        case 'exited':
        case 'signalled':
        case 'timed-out':
        case 'reported':
        case 'stopped':
        case 'not-started':
        case 'lost':
          return end;
        default:
          return unreachable(end);
      }
    };

    const overdueMs = Math.min(timeoutMs + timing.clusterOverdueMs, LONGEST_TIMER_MS);
    const overdue = setTimeout(() => {
      unwanted.abort();
      patience ??= setTimeout(() => leaving.abort(), timing.clusterRemoveMs);
    }, overdueMs);
    const ended = work()
      .catch((error: unknown): JobAttemptEnd => {
        log.error({ err: error, run: request.run }, 'the kubernetes runner failed, its run gets another turn');
        return { kind: 'lost', reason: `the runner failed: ${messageOf(error)}`, outputTail: '' };
      })
      .then(toEnd)
      .finally(() => {
        clearTimeout(overdue);
        clearTimeout(patience);
        leaving.abort();
      });

    return {
      ended,
      beat: (sentAt) => trust.renew(sentAt),
      // A Job is not frozen: it goes on while nobody can say whose it is.
      spare: () => {},
      stop(reason) {
        stopReason ??= reason;
        if (reason === 'drained' && stopReason === 'cancelled') {
          clearTimeout(patience);
          patience = setTimeout(() => leaving.abort(), timing.stopGraceMs);
          return;
        }
        if (reason !== 'cancelled') {
          leaving.abort();
          return;
        }
        unwanted.abort();
        // Housekeeping deletes the Job of a run that is over, whenever the cluster answers.
        patience ??= setTimeout(() => leaving.abort(), timing.clusterRemoveMs);
      },
    };
  };

  return { leashed: false, start, blockedBy: (question) => blockedBy(cluster, question, timing) };
}

/**
 * A Job of another run that is not gone yet, or a cluster that does not answer: both go by without us. So may whatever keeps us
 * from a Job that an earlier attempt has left at work: its run must not fail for that.
 */
async function blockedBy(
  cluster: KubernetesRunnerDeps['cluster'],
  { run, ticket, adopts, job: spec }: RunnerQuestion & Pick<KubernetesRequest, 'job'>,
  { clusterCallMs }: Pick<Timing, 'clusterCallMs'>,
): Promise<string | undefined> {
  const call = { deadlineMs: clusterCallMs, signal: new AbortController().signal };
  try {
    const namespace = (await cluster()).namespace(spec.namespace);
    const [job] = (await namespace.listJobs({ name: jobName(ticket.key) }, call)).items;
    const facts = { run, fence: Number.POSITIVE_INFINITY, job, held: undefined, unwanted: false };
    const step = nextStep(facts).kind;
    if (step === 'occupied') return `the Job of an earlier run is still at work (${job?.run ?? ''})`;
    if (step === 'wait' && job?.run !== run) return `the Job of an earlier run is being deleted (${job?.run ?? ''})`;
    return undefined;
  } catch (error) {
    if (error instanceof ClusterError && error.kind === 'unavailable') {
      return `Kubernetes does not answer (${error.message})`;
    }
    // What is wrong for good, the attempt says.
    return adopts ? `the Job of an earlier attempt cannot be looked at (${messageOf(error)})` : undefined;
  }
}
