/**
 * The door to a cluster by @kubernetes/client-node, which is loaded when somebody first asks for a cluster: that takes half a
 * second and 90 MB, which no deployment without Jobs has to pay.
 */
import { existsSync } from 'node:fs';
import path from 'node:path';
import type { AuthorizationV1Api, BatchV1Api, CoreV1Api, KubeConfig } from '@kubernetes/client-node';
import { messageOf } from '../../../foundation/errors.ts';
import type { HostEnvironment } from '../command-environment.ts';
import { createRequests, type Library, type Requests } from './client-requests.ts';
import { type Cluster, ClusterError, type Namespace, type Selection } from './cluster.ts';
import { seenJob, seenPod } from './seen-objects.ts';

/** Where Kubernetes puts the token of a pod. */
const POD_TOKEN = '/var/run/secrets/kubernetes.io/serviceaccount/token';
/** Lines of a log that are asked for: its end is what counts. */
const MOST_LINES = 10_000;

/**
 * The cluster that KUBECONFIG names, else the one that this pod runs in. Rejects with a sentence for people when there is none;
 * asked again, it looks again.
 */
export function lazyCluster(hostEnv: HostEnvironment): () => Promise<Cluster> {
  let opening: Promise<Cluster> | undefined;
  return () => {
    opening ??= openCluster(hostEnv).catch((error: unknown) => {
      opening = undefined;
      throw error;
    });
    return opening;
  };
}

async function openCluster(hostEnv: HostEnvironment): Promise<Cluster> {
  const library = await import('@kubernetes/client-node');
  const config = kubeConfig(library, hostEnv);
  const door: Door = {
    requests: createRequests(library),
    batch: config.makeApiClient(library.BatchV1Api),
    core: config.makeApiClient(library.CoreV1Api),
    authorization: config.makeApiClient(library.AuthorizationV1Api),
  };
  const own = config.getContextObject(config.getCurrentContext())?.namespace;
  return { namespace: (asked) => openNamespace(door, asked ?? own ?? 'default') };
}

const NO_CLUSTER =
  'No Kubernetes cluster is known here: run the server in a pod with a service account, or name a kubeconfig in KUBECONFIG.';

/** KUBECONFIG comes first, since somebody has set it; the folder of whoever started the server is not searched for one. */
function kubeConfig(library: Library, hostEnv: HostEnvironment): KubeConfig {
  const config = new library.KubeConfig();
  const files = (hostEnv['KUBECONFIG'] ?? '').split(path.delimiter).filter((file) => file !== '');
  if (files.length === 0) {
    if (hostEnv['KUBERNETES_SERVICE_HOST'] === undefined || !existsSync(POD_TOKEN)) throw new Error(NO_CLUSTER);
    config.loadFromCluster();
    return config;
  }
  try {
    for (const [index, file] of files.entries()) {
      const one = new library.KubeConfig();
      one.loadFromFile(file);
      config.mergeConfig(one, index > 0);
    }
  } catch (error) {
    throw new Error(`The kubeconfig in KUBECONFIG cannot be used: ${messageOf(error)}`, { cause: error });
  }
  if (config.getCurrentCluster() === null) {
    throw new Error('The kubeconfig in KUBECONFIG has no current context: set one with kubectl config use-context.');
  }
  return config;
}

interface Door {
  readonly requests: Requests;
  readonly batch: BatchV1Api;
  readonly core: CoreV1Api;
  readonly authorization: AuthorizationV1Api;
}

function openNamespace({ requests, batch, core, authorization }: Door, namespace: string): Namespace {
  return {
    name: namespace,
    async createJob(body, call) {
      await requests.ask(call, (options) => batch.createNamespacedJob({ namespace, body }, options));
    },
    async patchJob({ name, resourceVersion }, { annotations, suspend }, call) {
      const body = { metadata: { resourceVersion, annotations }, ...(suspend !== undefined && { spec: { suspend } }) };
      await requests.askToMerge(call, (options) => batch.patchNamespacedJob({ namespace, name, body }, options));
    },
    async deleteJob({ name, uid, resourceVersion }, propagation, call) {
      const propagationPolicy = propagation === 'foreground' ? 'Foreground' : 'Background';
      const body = { preconditions: { uid, resourceVersion }, propagationPolicy };
      await requests.ask(call, (options) => batch.deleteNamespacedJob({ namespace, name, body }, options));
    },
    async createSecret(body, call) {
      await requests.ask(call, (options) => core.createNamespacedSecret({ namespace, body }, options));
    },
    async listJobs(selection, call) {
      const asked = { namespace, ...selectorsOf(selection) };
      const { items, metadata } = await requests.ask(call, (options) => batch.listNamespacedJob(asked, options));
      return { items: listed(items).map(seenJob), resourceVersion: metadata?.resourceVersion ?? '' };
    },
    async listPods(selection, call) {
      const asked = { namespace, ...selectorsOf(selection) };
      const { items, metadata } = await requests.ask(call, (options) => core.listNamespacedPod(asked, options));
      return { items: listed(items).map(seenPod), resourceVersion: metadata?.resourceVersion ?? '' };
    },
    watchJobs: (selection, watch) =>
      requests.watch(watch, (query, options) =>
        batch.listNamespacedJob({ namespace, ...selectorsOf(selection), ...query }, options),
      ),
    watchPods: (selection, watch) =>
      requests.watch(watch, (query, options) =>
        core.listNamespacedPod({ namespace, ...selectorsOf(selection), ...query }, options),
      ),
    readLog: (name, container, onChunk, call) =>
      requests.read(call, onChunk, (options) =>
        core.readNamespacedPodLog({ namespace, name, container, tailLines: MOST_LINES }, options),
      ),
    async mayDo(verb, resource, call) {
      const resourceAttributes = { namespace, verb, ...resourceOf(resource) };
      const body = { spec: { resourceAttributes } };
      const { status } = await requests.ask(call, (options) =>
        authorization.createSelfSubjectAccessReview({ body }, options),
      );
      return status?.allowed === true;
    },
  };
}

/** Whatever stands between us and the cluster may answer any JSON, and that is never "no Jobs". */
function listed<Item>(items: readonly Item[] | undefined): readonly Item[] {
  if (Array.isArray(items)) return items;
  throw new ClusterError('unavailable', 'something that is no list was answered');
}

function selectorsOf({ name, label }: Selection): { readonly fieldSelector?: string; readonly labelSelector?: string } {
  return {
    ...(name !== undefined && { fieldSelector: `metadata.name=${name}` }),
    ...(label !== undefined && { labelSelector: label }),
  };
}

/** `jobs.batch`, `pods/log`. */
function resourceOf(text: string): {
  readonly group: string;
  readonly resource: string;
  readonly subresource?: string;
} {
  const [whole = '', subresource] = text.split('/');
  const [resource = '', group = ''] = whole.split('.');
  return { group, resource, ...(subresource !== undefined && { subresource }) };
}
