/**
 * Runs an attempt as a Kubernetes Job. The Job does not need its worker: when that dies, leaves or loses its trust the Job goes
 * on, and the next attempt of the run adopts it, or what came of it. Only a cancelled run and a time that is up end it from here.
 *
 * The Job's own deadline ends it in time, also while nobody of us is there. Ours is later, for a Job whose deadline does not
 * count (somebody suspended it) or a cluster that does not obey it.
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

    const work = async (): Promise<JobAttemptEnd> => {
      const environment = remoteEnvironment(request, spec, hostEnv);
      if (environment.kind === 'refused') return notStarted(environment.reason);
      let opened: Cluster;
      try {
        opened = await cluster();
      } catch (error) {
        return notStarted(messageOf(error));
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

    const toEnd = (end: JobAttemptEnd): RunnerEnd => {
      const { outputTail } = end;
      switch (end.kind) {
        case 'removed':
          if (stopReason !== undefined) return { kind: 'stopped', reason: stopReason, outputTail };
          return {
            kind: 'timed-out',
            timeoutMs,
            outputTail,
            ...(end.problem !== undefined && { detail: end.problem }),
          };
        case 'left':
          return { kind: 'stopped', reason: stopReason ?? 'trust-lost', outputTail };
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
    const overdue = setTimeout(() => unwanted.abort(), overdueMs);
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
        // Housekeeping deletes the Job of a run that was cancelled, whenever the cluster answers.
        patience ??= setTimeout(() => leaving.abort(), timing.clusterRemoveMs);
      },
    };
  };

  return { leashed: false, start, blockedBy: (question) => blockedBy(cluster, question, timing) };
}

/** A Job of another run that is not gone yet, or a cluster that does not answer: both go by without us. */
async function blockedBy(
  cluster: KubernetesRunnerDeps['cluster'],
  { run, ticket, job: spec }: RunnerQuestion & Pick<KubernetesRequest, 'job'>,
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
    // What is wrong for good, the attempt says.
    if (!(error instanceof ClusterError && error.kind === 'unavailable')) return undefined;
    return `Kubernetes does not answer (${error.message})`;
  }
}

function notStarted(reason: string): RunnerEnd {
  return { kind: 'not-started', reason, outputTail: '' };
}
