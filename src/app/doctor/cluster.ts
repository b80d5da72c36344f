/** Whether the cluster is there that pipelines with Jobs need, and what we may do in it. Creates nothing. */
import type { Config } from '../../config/config.ts';
import type { Environment } from '../../config/expand.ts';
import { messageOf } from '../../foundation/errors.ts';
import { lazyCluster } from '../../worker/runners/kubernetes/client-cluster.ts';
import type { ClusterCall, Namespace } from '../../worker/runners/kubernetes/cluster.ts';
import { RIGHTS } from '../../worker/runners/kubernetes/rights.ts';
import { jobNamespaces } from '../detached-jobs.ts';
import type { DoctorCheck } from './check.ts';

/** Nothing where no pipeline has Jobs. */
export async function checkCluster(config: Config, env: Environment, call: ClusterCall): Promise<DoctorCheck[]> {
  const names = jobNamespaces(config);
  if (names.size === 0) return [];
  try {
    const cluster = await lazyCluster(env)();
    return await Promise.all([...names].map((name) => checkNamespace(cluster.namespace(name), call)));
  } catch (error) {
    const advice = 'Give the server a cluster that answers: docs/runners/kubernetes.md says how.';
    return [{ subject: 'kubernetes', check: 'reachable', state: 'problem', text: messageOf(error), advice }];
  }
}

async function checkNamespace(namespace: Namespace, call: ClusterCall): Promise<DoctorCheck> {
  const about = { subject: `kubernetes ${namespace.name}`, check: 'rights' };
  const answers = await Promise.all(RIGHTS.map(({ verb, resource }) => namespace.mayDo(verb, resource, call)));
  const missing = RIGHTS.filter((_, index) => answers[index] !== true);
  if (missing.length === 0) return { ...about, state: 'ok', text: 'all that Jobs need' };
  const text = `missing: ${missing.map(({ verb, resource }) => `${verb} ${resource}`).join(', ')}`;
  const isNeeded = missing.some(({ without }) => without === undefined);
  const advice = 'Give its service account the Role of docs/runners/kubernetes.md in this namespace.';
  return { ...about, state: isNeeded ? 'problem' : 'warning', text, advice };
}
