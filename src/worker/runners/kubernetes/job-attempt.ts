/**
 * One attempt of a run that works in a Job: looks at the cluster, does the one thing that is to be done next
 * (`next-step.ts`), and looks again, until the Job has ended or this attempt has to let go of it.
 *
 * A cluster that does not answer ends nothing: the Job does not need us, and it is asked for as long as this attempt is the
 * run's. What changes something is sent only while that is certain, with more trust left than the request may take.
 * What a crash leaves behind is what the cluster shows, and the next attempt goes on from there.
 */
import type { RunResult } from '../../../domain/run-result.ts';
import type { Timing } from '../../../domain/timing.ts';
import { unreachable } from '../../../foundation/errors.ts';
import type { Log } from '../../../foundation/log.ts';
import type { Redactor } from '../../../foundation/redactor.ts';
import type { Trust } from '../../trust.ts';
import { describeTicket } from '../describe-ticket.ts';
import type { RunnerEnd, RunnerRequest } from '../runner.ts';
import {
  type ClusterCall,
  ClusterError,
  type JobPatch,
  type Namespace,
  type SeenJob,
  type SeenPod,
} from './cluster.ts';
import { type BareEnd, endOfJob, lastPod, noteInOutput, readMessage } from './job-end.ts';
import { readTail } from './job-log.ts';
import { type JobSpec, jobManifest, MOST_TICKET_BYTES, secretManifest } from './job-manifest.ts';
import { ATTEMPT, FENCE, jobName, RELEASED, RUN } from './job-words.ts';
import { nextStep, type Step } from './next-step.ts';
import { createRetry } from './retry.ts';
import { untilChange } from './until-change.ts';

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
  /** What must not show in the output. */
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
  | { readonly kind: 'left'; readonly outputTail: string };

/** Tries at a log whose Job has ended: then it is done without. */
const MOST_LOG_READS = 3;

/** Rejects only for a bug. */
export async function attemptJob(deps: JobAttemptDeps, options: JobAttemptOptions): Promise<JobAttemptEnd> {
  const { namespace, trust } = deps;
  const { request, spec, timing, unwanted, leaving } = options;
  const { run, attempt, fence } = request;
  const name = jobName(request.ticket.key);
  const log = deps.log.child({ ticket: request.ticket.key, run, attempt, job: name, namespace: namespace.name });
  const call: ClusterCall = { deadlineMs: timing.clusterCallMs, signal: leaving };
  const retry = createRetry({
    ...timing,
    onAway: ({ message }) => log.warn({ error: message }, 'kubernetes does not answer, the attempt goes on'),
    onBack: () => log.info({}, 'kubernetes answers again'),
  });

  let held: string | undefined;
  let problem: string | undefined;
  /** What is known of the output so far: a pod that is being ended may take its log with it. */
  let tail = '';

  const told = (end: BareEnd, more: { readonly result?: RunResult; readonly note?: string } = {}): RunnerEnd => ({
    ...end,
    outputTail: `${tail}${more.note === undefined ? '' : noteInOutput(more.note)}`,
    ...(more.result !== undefined && { result: more.result }),
  });

  /** Undefined when it was tried for ever in vain, until this attempt had to let go. */
  const persist = async <T>(act: () => Promise<T>): Promise<T | ClusterError | undefined> => {
    while (!leaving.aborted) {
      try {
        const value = await act();
        retry.succeeded();
        return value;
      } catch (error) {
        if (!(error instanceof ClusterError)) throw error;
        // What we may not ask for while we have a Job is somebody's mistake, which may be put right before it ends.
        if (error.kind !== 'unavailable' && held === undefined) return error;
        await retry.pause(error, leaving);
      }
    }
    return undefined;
  };

  /**
   * Changes something in the cluster, once. Whatever came of it shows in the next look; only what can never come of it ends
   * the attempt, in a sentence that begins with `what`.
   */
  const change = async (what: string, act: () => Promise<void>): Promise<RunnerEnd | undefined> => {
    if (trust.leftMs() <= timing.clusterCallMs) {
      await retry.breathe(leaving);
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
          await retry.breathe(leaving);
          return undefined;
        case 'unavailable':
          await retry.pause(error, leaving);
          return undefined;
        case 'not-found':
        case 'refused':
        case 'invalid':
          // Gone meanwhile: the next look says so.
          if (error.kind === 'not-found' && held !== undefined) return undefined;
          return told({ kind: 'not-started', reason: `${what} in namespace ${namespace.name}: ${error.message}` });
        default:
          return unreachable(error.kind);
      }
    }
  };

  const patch = (job: SeenJob, patched: JobPatch): Promise<void> => namespace.patchJob(job, patched, call);

  /** The Secret first: the pod needs it. That it exists already is fine, it belongs to this very Job. */
  const prepare = async (job: SeenJob): Promise<RunnerEnd | undefined> => {
    const ticket = describeTicket(request, MOST_TICKET_BYTES);
    const secret = secretManifest(job, { ticket, variables: options.variables });
    let isThere = false;
    const refused = await change('The Secret of the Job cannot be made', async () => {
      await namespace.createSecret(secret, call).catch((error: unknown) => {
        if (!(error instanceof ClusterError && error.kind === 'exists')) throw error;
      });
      isThere = true;
    });
    if (refused !== undefined || !isThere) return refused;
    const released = { annotations: { [RELEASED]: String(fence) }, suspend: false } as const;
    return await change('The Job cannot be released', () => patch(job, released));
  };

  const podsOf = async (job: string): Promise<{ pods: SeenPod[]; resourceVersion: string | undefined }> => {
    const listed = await namespace.listPods({ label: `${RUN}=${run}` }, call).catch((error: unknown) => {
      // Without the right to see pods there is neither output nor result, but the Job says how it ended.
      if (error instanceof ClusterError && error.kind === 'refused') return undefined;
      throw error;
    });
    const pods = listed?.items.filter(({ owner }) => owner === job) ?? [];
    return { pods, resourceVersion: listed?.resourceVersion };
  };

  const lookAtProblem = (pods: readonly SeenPod[], job: string): void => {
    const seen = lastPod(pods, job);
    if (seen?.problem !== undefined && seen.problem !== problem) {
      log.warn({ problem: deps.redactor.redact(seen.problem) }, 'the pod of a job does not start');
    }
    // What kept an earlier pod from starting is no problem of one that has started.
    if (seen !== undefined) problem = seen.problem;
  };

  const takeTail = async (pod: SeenPod | undefined, tries = 1): Promise<void> => {
    if (pod?.started !== true) return;
    for (let read = 1; !leaving.aborted; read += 1) {
      const { text, whole, again } = await readTail(namespace, pod, { secrets: options.secrets, call });
      // What was read while it ended is better than to be told that it is gone.
      if (whole || tail === '') tail = text;
      if (whole || !again || read >= tries) return;
      await retry.breathe(leaving);
    }
  };

  const wait = async (job: SeenJob | undefined, resourceVersion: string): Promise<void> => {
    const watched = [{ resourceVersion, watch: namespace.watchJobs.bind(namespace, { name }) }];
    if (job !== undefined && job.run === run) {
      const seen = await persist(() => podsOf(job.uid));
      if (seen === undefined || seen instanceof ClusterError) return;
      lookAtProblem(seen.pods, job.uid);
      if (job.state.kind === 'failing' && tail === '') await takeTail(lastPod(seen.pods, job.uid));
      if (seen.resourceVersion !== undefined) {
        const watch = namespace.watchPods.bind(namespace, { label: `${RUN}=${run}` });
        watched.push({ resourceVersion: seen.resourceVersion, watch });
      }
    }
    // Once it is to be ended there is nothing that could become more urgent.
    const signal = unwanted.aborted ? leaving : AbortSignal.any([leaving, unwanted]);
    await untilChange(watched, { ...timing, signal, retry: () => createRetry(timing) });
  };

  const conclude = async (job: SeenJob): Promise<RunnerEnd | undefined> => {
    const { state } = job;
    if (state.kind !== 'complete' && state.kind !== 'failed') return undefined;
    const seen = await persist(() => podsOf(job.uid));
    if (seen === undefined || seen instanceof ClusterError) return undefined;
    lookAtProblem(seen.pods, job.uid);
    const pod = lastPod(seen.pods, job.uid);
    await takeTail(pod, MOST_LOG_READS);
    if (leaving.aborted) return undefined;
    if (pod === undefined && tail === '') tail = noteInOutput('the pod and its log are gone');
    const message = deps.redactor.redact(pod?.ended?.message ?? '');
    return told(endOfJob(state, pod, { timeoutMs: request.timeoutMs, problem }), readMessage(message));
  };

  const remove = async (job: SeenJob): Promise<JobAttemptEnd | undefined> => {
    if (tail === '') {
      const seen = await persist(() => podsOf(job.uid));
      if (seen !== undefined && !(seen instanceof ClusterError)) await takeTail(lastPod(seen.pods, job.uid));
    }
    const refused = await change('The Job cannot be deleted', () => namespace.deleteJob(job, 'foreground', call));
    if (refused?.kind !== 'not-started') return undefined;
    log.error({ error: refused.reason }, 'job not deleted, it goes on until its deadline');
    tail += noteInOutput(refused.reason);
    return { kind: 'removed', outputTail: tail, problem };
  };

  const take = async (
    step: Step,
    resourceVersion: string,
    job: SeenJob | undefined,
  ): Promise<JobAttemptEnd | undefined> => {
    switch (step.kind) {
      case 'create':
        return await change('The Job cannot be created', () =>
          namespace.createJob(jobManifest(request, spec, Object.keys(options.variables)), call),
        );
      case 'adopt': {
        const annotations = { [FENCE]: String(fence), [ATTEMPT]: String(attempt) };
        log.info({ from: step.job.fence }, 'job adopted');
        return await change('The Job cannot be adopted', () => patch(step.job, { annotations }));
      }
      case 'prepare':
        return await prepare(step.job);
      case 'clear':
        return await change('The Job of an earlier run cannot be deleted', () =>
          namespace.deleteJob(step.job, 'background', call),
        );
      case 'wait':
        await wait(job, resourceVersion);
        return undefined;
      case 'conclude':
        return await conclude(step.job);
      case 'remove':
        return await remove(step.job);
      case 'removed':
        return { kind: 'removed', outputTail: tail, problem };
      case 'vanished':
        return told({ kind: 'failed', reason: 'its Job was deleted while it was at work' });
      case 'taken':
        return told({ kind: 'lost', reason: 'a later attempt has its Job' });
      case 'occupied':
        return told({ kind: 'lost', reason: 'a Job of another run of this ticket is at work' });
      case 'foreign':
        return told({
          kind: 'not-started',
          reason: `The name ${name} is taken in namespace ${namespace.name} by a Job that is not ours: delete that.`,
        });
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
    if (job?.run === run) held ??= job.uid;
    const step = nextStep({ run, fence, job, held, unwanted: unwanted.aborted });
    const end = await take(step, listed.resourceVersion, job);
    if (end !== undefined) return end;
  }
  return { kind: 'left', outputTail: tail };
}
