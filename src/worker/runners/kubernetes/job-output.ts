/** What an attempt learns from the pods of its Job: what keeps them from starting, what they print, how the last one ended. */
import type { Log } from '../../../foundation/log.ts';
import type { Redactor } from '../../../foundation/redactor.ts';
import { type ClusterCall, ClusterError, type Namespace, type SeenPod } from './cluster.ts';
import { lastPod, noteInOutput } from './job-end.ts';
import { readTail } from './job-log.ts';
import { RUN } from './job-words.ts';
import type { Retry } from './retry.ts';

export interface SeenPods {
  /** The one whose end is the Job's. */
  readonly last: SeenPod | undefined;
  /** Of the list; undefined when we may not see pods. */
  readonly resourceVersion: string | undefined;
}

export interface JobOutput {
  /** Looks at the pods of a Job, and says in the log what has come to keep them from starting. Throws `ClusterError`. */
  look(job: string): Promise<SeenPods>;
  /** What keeps the last pod from starting, as far as it was seen. */
  problem(): string | undefined;
  /** Reads the log of a pod that has started; what was read before is kept where this comes to less. */
  read(pod: SeenPod | undefined, tries: number): Promise<void>;
  /** What was read so far. */
  tail(): string;
  /** Adds a line of ours. */
  note(text: string): void;
}

export interface JobOutputDeps {
  readonly namespace: Namespace;
  readonly retry: Retry;
  readonly call: ClusterCall;
  readonly log: Log;
  readonly redactor: Redactor;
}

export function createJobOutput(
  { namespace, retry, call, log, redactor }: JobOutputDeps,
  { run, secrets }: { readonly run: string; readonly secrets: readonly string[] },
): JobOutput {
  let problem: string | undefined;
  let tail = '';
  return {
    async look(job) {
      const listed = await namespace.listPods({ label: `${RUN}=${run}` }, call).catch((error: unknown) => {
        // Without the right to see pods there is neither output nor result, but the Job says how it ended.
        if (error instanceof ClusterError && error.kind === 'refused') return undefined;
        throw error;
      });
      const last = lastPod(listed?.items ?? [], job);
      if (last?.problem !== undefined && last.problem !== problem) {
        log.warn({ problem: redactor.redact(last.problem) }, 'the pod of a job does not start');
      }
      // What was the matter with a pod that is gone may still be the reason for its end.
      if (last !== undefined) problem = last.problem;
      return { last, resourceVersion: listed?.resourceVersion };
    },
    problem: () => problem,
    async read(pod, tries) {
      if (pod?.started !== true) return;
      for (let attempt = 1; !call.signal.aborted; attempt += 1) {
        const { text, whole, again } = await readTail(namespace, pod, { secrets, call });
        if (whole || tail === '') tail = text;
        if (whole || !again || attempt >= tries) return;
        await retry.breathe(call.signal);
      }
    },
    tail: () => tail,
    note(text) {
      tail += noteInOutput(text);
    },
  };
}
