/** The Jobs in all namespaces that pipelines name now, as work that may go on without a worker. */
import type { Config } from '../config/config.ts';
import type { Timing } from '../domain/timing.ts';
import { messageOf, unreachable } from '../foundation/errors.ts';
import type { Log } from '../foundation/log.ts';
import type { DetachedWork, EndOfWork } from '../repair/leftover-work.ts';
import {
  type Cluster,
  type ClusterCall,
  ClusterError,
  type Namespace,
  type SeenJob,
} from '../worker/runners/kubernetes/cluster.ts';
import { OUR_JOBS } from '../worker/runners/kubernetes/job-words.ts';

export interface DetachedJobsDeps {
  readonly config: () => Pick<Config, 'catalog' | 'openPipeline'>;
  /** Not asked for while no pipeline has Jobs. */
  readonly cluster: () => Promise<Cluster>;
  readonly log: Log;
  /** All namespaces where we may not look, after each look into them. Never throws. */
  readonly onRefused: (namespaces: readonly string[]) => void;
}

/** Never throws: what cannot be listed now is listed later. */
export function listDetachedJobs(
  { config, cluster, log, onRefused }: DetachedJobsDeps,
  { clusterCallMs }: Pick<Timing, 'clusterCallMs'>,
): (signal: AbortSignal) => Promise<DetachedWork[]> {
  let complaint = '';
  /** Said once while it lasts: the runs that need the cluster say it too. */
  const complain = (text: string): void => {
    if (text !== '' && text !== complaint) log.warn({ error: text }, 'jobs of ended runs cannot be looked for');
    complaint = text;
  };
  return async (signal) => {
    const names = jobNamespaces(config());
    if (names.size === 0) {
      onRefused([]);
      return [];
    }
    const call: ClusterCall = { deadlineMs: clusterCallMs, signal };
    try {
      const found = await cluster();
      // One namespace where we may not look keeps nobody from looking into the others.
      const namespaces = [...names].map((name) => found.namespace(name));
      const lists = await Promise.allSettled(namespaces.map((namespace) => listIn(namespace, call)));
      const failed = lists.flatMap((list) => (list.status === 'rejected' ? [messageOf(list.reason)] : []));
      complain(failed.join('; '));
      onRefused(namespaces.flatMap(({ name }, index) => (isRefused(lists[index]) ? [name] : [])));
      return lists.flatMap((list) => (list.status === 'fulfilled' ? list.value : []));
    } catch (error) {
      complain(messageOf(error));
      return [];
    }
  };
}

/** Undefined is the cluster's own choice. */
export function jobNamespaces({
  catalog,
  openPipeline,
}: Pick<Config, 'catalog' | 'openPipeline'>): Set<string | undefined> {
  const names = [...catalog.pipelines.values()].flatMap(({ policy }) => {
    const opened = openPipeline(policy);
    return opened.ok && opened.spec.work.runner === 'kubernetes_job' ? [opened.spec.work.namespace] : [];
  });
  return new Set(names);
}

function isRefused(list: PromiseSettledResult<unknown> | undefined): boolean {
  return list?.status === 'rejected' && list.reason instanceof ClusterError && list.reason.kind === 'refused';
}

async function listIn(namespace: Namespace, call: ClusterCall): Promise<DetachedWork[]> {
  const { items } = await namespace.listJobs({ label: OUR_JOBS }, call);
  const isOver = ({ deleting, state }: SeenJob): boolean =>
    deleting || state.kind === 'complete' || state.kind === 'failed';
  return items.flatMap((job) => {
    if (job.run === undefined || isOver(job)) return [];
    return [{ run: job.run, name: `${namespace.name}/${job.name}`, end: () => endJob(namespace, job, call) }];
  });
}

async function endJob(namespace: Namespace, job: SeenJob, call: ClusterCall): Promise<EndOfWork> {
  try {
    await namespace.deleteJob(job, 'foreground', call);
    return { kind: 'ended' };
  } catch (error) {
    if (!(error instanceof ClusterError)) throw error;
    switch (error.kind) {
      // Gone by itself meanwhile.
      case 'not-found':
        return { kind: 'ended' };
      case 'refused':
      case 'invalid':
        return { kind: 'refused', why: error.message };
      case 'conflict':
      case 'exists':
      case 'expired':
      case 'unavailable':
        throw error;
      default:
        return unreachable(error.kind);
    }
  }
}
