/** The Jobs in all namespaces that pipelines name now, as work that may go on without a worker. */
import type { Config } from '../config/config.ts';
import type { Timing } from '../domain/timing.ts';
import { messageOf } from '../foundation/errors.ts';
import type { Log } from '../foundation/log.ts';
import type { DetachedWork } from '../repair/cancelled-work.ts';
import type { Cluster, ClusterCall, Namespace, SeenJob } from '../worker/runners/kubernetes/cluster.ts';
import { OUR_JOBS } from '../worker/runners/kubernetes/job-words.ts';

export interface DetachedJobsDeps {
  readonly config: () => Pick<Config, 'catalog' | 'openPipeline'>;
  /** Not asked for while no pipeline has Jobs. */
  readonly cluster: () => Promise<Cluster>;
  readonly log: Log;
}

/** Never throws: what cannot be listed now is listed later. */
export function listDetachedJobs(
  { config, cluster, log }: DetachedJobsDeps,
  { clusterCallMs }: Pick<Timing, 'clusterCallMs'>,
): (signal: AbortSignal) => Promise<DetachedWork[]> {
  let complaint = '';
  /** Said once while it lasts: the runs that need the cluster say it too. */
  const complain = (text: string): void => {
    if (text !== '' && text !== complaint) log.warn({ error: text }, 'jobs of cancelled runs cannot be looked for');
    complaint = text;
  };
  return async (signal) => {
    const names = jobNamespaces(config());
    if (names.size === 0) return [];
    const call: ClusterCall = { deadlineMs: clusterCallMs, signal };
    try {
      const found = await cluster();
      // One namespace where we may not look keeps nobody from looking into the others.
      const lists = await Promise.allSettled([...names].map((name) => listIn(found.namespace(name), call)));
      const failed = lists.flatMap((list) => (list.status === 'rejected' ? [messageOf(list.reason)] : []));
      complain(failed.join('; '));
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

async function listIn(namespace: Namespace, call: ClusterCall): Promise<DetachedWork[]> {
  const { items } = await namespace.listJobs({ label: OUR_JOBS }, call);
  const isOver = ({ deleting, state }: SeenJob): boolean =>
    deleting || state.kind === 'complete' || state.kind === 'failed';
  return items.flatMap((job) => {
    if (job.run === undefined || isOver(job)) return [];
    const end = (): Promise<void> => namespace.deleteJob(job, 'foreground', call);
    return [{ run: job.run, endsItself: job.released, end }];
  });
}
