/**
 * One attempt of a run that works in a Job: looks at the cluster, does the one thing that is to be done next
 * (`next-step.ts`), and looks again, until the Job has ended or this attempt has to let go of it.
 *
 * A cluster that does not answer ends nothing: the Job does not need us, and it is asked for until somebody makes us let go.
 * Neither does one that refuses us, unless it is certain that nothing of the run is at work: a token may be a moment late, a
 * right may be given back, and a run that failed for that would lose what its Job has done. What a crash leaves behind is what
 * the cluster shows, and the next attempt goes on from there.
 */
import type { Timing } from '../../../domain/timing.ts';
import { unreachable } from '../../../foundation/errors.ts';
import type { Log } from '../../../foundation/log.ts';
import { createRedactor, type Redactor } from '../../../foundation/redactor.ts';
import type { Trust } from '../../trust.ts';
import type { RunnerEnd, RunnerRequest } from '../runner.ts';
import { type ClusterCall, ClusterError, type Namespace, type SeenJob } from './cluster.ts';
import { type BareEnd, endOfJob, readMessage } from './job-end.ts';
import { createJobHands, type Refusal } from './job-hands.ts';
import type { JobSpec } from './job-manifest.ts';
import { createJobOutput } from './job-output.ts';
import { jobName, RUN } from './job-words.ts';
import { nextStep, type Step } from './next-step.ts';
import { createRetry } from './retry.ts';
import { untilChange, type WatchedList } from './until-change.ts';

export interface JobAttemptDeps {
  readonly namespace: Namespace;
  readonly trust: Trust;
  readonly log: Log;
  readonly redactor: Redactor;
}

export interface JobAttemptOptions {
  readonly request: RunnerRequest;
  readonly spec: JobSpec;
  /** The environment of the work. */
  readonly variables: Readonly<Record<string, string>>;
  /** What must show neither in the output nor in the result. */
  readonly secrets: readonly string[];
  readonly timing: Timing;
  /** Aborts when the Job should end. */
  readonly unwanted: AbortSignal;
  /** Aborts when this attempt has to let go of the Job. */
  readonly leaving: AbortSignal;
}

export type JobAttemptEnd =
  | RunnerEnd
  /** The Job is gone, as it was wanted to be; `problem` is what had kept it from starting. */
  | { readonly kind: 'removed'; readonly outputTail: string; readonly problem: string | undefined }
  /** `deleting`: the Job was on its way out when it was last seen; `why` it has not come to its end here, for people. */
  | {
      readonly kind: 'left';
      readonly outputTail: string;
      readonly problem: string | undefined;
      readonly deleting: boolean;
      readonly why: string;
    };

/** What was there when the next step was chosen. */
interface Look {
  readonly job: SeenJob | undefined;
  /** Of the list that it was in. */
  readonly resourceVersion: string;
  readonly isUnwanted: boolean;
}

/** Tries at a log whose Job has ended: then it is done without. */
const MOST_LOG_READS = 3;

/** Rejects only for a bug. */
export async function attemptJob(deps: JobAttemptDeps, options: JobAttemptOptions): Promise<JobAttemptEnd> {
  const { namespace } = deps;
  const { request, timing, unwanted, leaving } = options;
  const { run, fence } = request;
  const name = jobName(request.ticket.key);
  const about = { ticket: request.ticket.key, run, attempt: request.attempt, job: name, namespace: namespace.name };
  const log = deps.log.child(about);
  const call: ClusterCall = { deadlineMs: timing.clusterCallMs, signal: leaving };
  let away: string | undefined;
  const retry = createRetry({
    ...timing,
    onAway({ message }) {
      away = message;
      log.warn({ error: message }, 'kubernetes does not answer, the attempt goes on');
    },
    onBack() {
      away = undefined;
      log.info({}, 'kubernetes answers again');
    },
  });
  /** Of adoptions alone: everything else may be answered well meanwhile. */
  const adopting = createRetry({
    ...timing,
    onAway: ({ message }) => log.warn({ error: message }, 'job not adopted, its end is waited for all the same'),
  });
  const hands = createJobHands({ ...deps, retry, call }, { ...options, ...timing });
  const output = createJobOutput({ ...deps, log, retry, call }, { run, secrets: options.secrets });
  /** Uid of our Job, once it has been seen. */
  let held: string | undefined;
  let isDeleting = false;

  const told = (end: BareEnd): RunnerEnd => ({ ...end, outputTail: output.tail() });
  const removed = (): JobAttemptEnd => ({ kind: 'removed', outputTail: output.tail(), problem: output.problem() });
  const unlessRefused = (refusal: Refusal): RunnerEnd | undefined =>
    refusal === undefined ? undefined : told({ kind: 'not-started', reason: refusal });

  /** Asks until there is an answer; undefined when this attempt had to let go before. */
  const persist = async <T>(ask: () => Promise<T>): Promise<T | ClusterError | undefined> => {
    while (!leaving.aborted) {
      try {
        const answer = await ask();
        retry.succeeded();
        return answer;
      } catch (error) {
        if (!(error instanceof ClusterError)) throw error;
        // What we may not ask for while there may be a Job is somebody's mistake, which may be put right before it ends.
        if (error.kind !== 'unavailable' && held === undefined && !request.adopts) return error;
        await retry.pause(error, leaving);
      }
    }
    return undefined;
  };
  /** One at work that we may not adopt can be waited for. */
  const adopt = async (job: SeenJob): Promise<JobAttemptEnd | undefined> => {
    log.info({ from: job.fence }, 'adopting the job of an earlier attempt');
    const refusal = await hands.adopt(job);
    if (refusal === undefined || !job.released) return unlessRefused(refusal);
    await adopting.pause(new ClusterError('refused', refusal), AbortSignal.any([leaving, unwanted]));
    return undefined;
  };
  const lookAtPods = async (job: SeenJob) => {
    const pods = await persist(() => output.look(job.uid));
    return pods instanceof ClusterError ? undefined : pods;
  };

  const wait = async ({ job, resourceVersion, isUnwanted }: Look): Promise<void> => {
    const lists: WatchedList[] = [{ resourceVersion, watch: (watch) => namespace.watchJobs({ name }, watch) }];
    if (job?.run === run) {
      const pods = await lookAtPods(job);
      if (pods === undefined) return;
      // A pod that is being ended takes its log with it.
      if (job.state.kind === 'failing' && output.tail() === '') await output.read(pods.last, 1);
      if (pods.resourceVersion !== undefined) {
        const watch: WatchedList['watch'] = (asked) => namespace.watchPods({ label: `${RUN}=${run}` }, asked);
        lists.push({ resourceVersion: pods.resourceVersion, watch });
      }
    }
    // What was known when the look was taken is waited for; what has come since is news.
    const signal = isUnwanted ? leaving : AbortSignal.any([leaving, unwanted]);
    await untilChange(lists, { ...timing, signal, retry: () => createRetry(timing) });
  };

  const conclude = async (job: SeenJob): Promise<RunnerEnd | undefined> => {
    const { state } = job;
    const pods = await lookAtPods(job);
    if (pods === undefined || (state.kind !== 'complete' && state.kind !== 'failed')) return undefined;
    await output.read(pods.last, MOST_LOG_READS);
    if (leaving.aborted) return undefined;
    if (pods.last === undefined && output.tail() === '') output.note('the pod and its log are gone');
    const { result, note } = readMessage(pods.last?.ended?.message ?? '', createRedactor(options.secrets).redact);
    if (note !== undefined) output.note(note);
    const end = endOfJob(state, pods.last, { timeoutMs: request.timeoutMs, problem: output.problem() });
    return { ...told(end), ...(result !== undefined && { result }) };
  };

  const remove = async (job: SeenJob): Promise<JobAttemptEnd | undefined> => {
    if (output.tail() === '') await output.read((await lookAtPods(job))?.last, 1);
    const refusal = await hands.remove(job);
    if (refusal === undefined) return undefined;
    // Its run ends now, and what goes on for a run that is over is housekeeping's.
    log.error({ error: refusal }, 'job not deleted, housekeeping will try');
    output.note(refusal);
    return removed();
  };

  const take = async (step: Step, look: Look): Promise<JobAttemptEnd | undefined> => {
    switch (step.kind) {
      case 'create':
        return unlessRefused(await hands.create());
      case 'adopt':
        return await adopt(step.job);
      case 'prepare':
        return unlessRefused(await hands.prepare(step.job));
      case 'clear':
        return unlessRefused(await hands.clear(step.job));
      case 'wait':
        await wait(look);
        return undefined;
      case 'conclude':
        return await conclude(step.job);
      case 'remove':
        return await remove(step.job);
      case 'removed':
        return removed();
      case 'vanished':
        return told({ kind: 'reported', done: false, reason: 'its Job was deleted while it was at work' });
      case 'taken':
        return told({ kind: 'lost', reason: 'a later attempt has its Job' });
      case 'occupied':
        return told({ kind: 'lost', reason: 'a Job of another run of this ticket is at work' });
      case 'foreign': {
        const where = `The name ${name} is taken in namespace ${namespace.name}`;
        return told({ kind: 'not-started', reason: `${where} by a Job that is not ours: delete that.` });
      }
      default:
        return unreachable(step);
    }
  };

  while (!leaving.aborted) {
    const listed = await persist(() => namespace.listJobs({ name }, call));
    if (listed === undefined) break;
    if (listed instanceof ClusterError) {
      const reason = `Jobs cannot be listed in namespace ${namespace.name}: ${listed.message}`;
      return told({ kind: 'not-started', reason });
    }
    const [job] = listed.items;
    if (job?.run === run) {
      held ??= job.uid;
      isDeleting = job.deleting;
    }
    const look: Look = { job, resourceVersion: listed.resourceVersion, isUnwanted: unwanted.aborted };
    const end = await take(nextStep({ run, fence, job, held, unwanted: look.isUnwanted }), look);
    if (end !== undefined) return end;
  }
  const why = away === undefined ? 'its Job has not ended' : `Kubernetes does not answer (${away})`;
  return { kind: 'left', outputTail: output.tail(), problem: output.problem(), deleting: isDeleting, why };
}
