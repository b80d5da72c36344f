/**
 * A Kubernetes cluster on loopback, for tests and the demo: as much of one as it takes to run Jobs, and as strict. Jobs, pods,
 * Secrets, logs, list and watch by resource version, and the controllers behind them; what a pod does, the test says. Faults
 * and the ledger are those of the other emulators. What it holds survives `close()`.
 */
import { createFaults, type Faults } from '../faults.ts';
import { createHttpServer } from '../http-server.ts';
import { createLedger, type Ledger } from '../ledger.ts';
import { type Account, MAY_ALL, type PolicyRule } from './access.ts';
import { createApi, ROUTES, type Route } from './api.ts';
import { createControllers } from './controllers.ts';
import { createKubelet, type EmulatedPod } from './kubelet.ts';
import type { Job, Pod, Secret } from './objects.ts';
import { createStore, timestamp } from './store.ts';
import { createWatches } from './watching.ts';

export interface KubernetesEmulatorOptions {
  /** 0 (default) takes any free port at the first start; a later start takes the same one again. */
  readonly port?: number;
  /** Default `agents`. */
  readonly namespaces?: readonly string[];
  /** By bearer token: what its Roles allow. Default: the token `cluster-token`, which may do everything. */
  readonly accounts?: Readonly<Record<string, readonly PolicyRule[]>>;
  /** Called once for each pod when its container runs. Default: it runs on until the test ends it. */
  readonly onStarted?: (pod: EmulatedPod) => void;
}

export interface KubernetesEmulator {
  /** `http://127.0.0.1:1234` */
  readonly url: string;
  /** A kubeconfig, as text, for one of its tokens. */
  kubeconfig(options?: { readonly token?: string; readonly namespace?: string; readonly url?: string }): string;
  readonly ledger: Ledger;
  readonly faults: Faults;

  /** What there is; copies. */
  jobs(): Job[];
  pods(): Pod[];
  secrets(): Secret[];
  /** Every Job that was ever made, by the times they were. */
  readonly jobsMade: readonly Job[];
  /** Pods whose containers have ever run. */
  readonly podsStarted: readonly EmulatedPod[];
  /** The pod of a Job (by its name; default: of the only one). Throws when there is none. */
  pod(job?: string): EmulatedPod;
  /** A Secret that somebody has put there. */
  putSecret(namespace: string, name: string, values: Readonly<Record<string, string>>): void;
  /** A Job that somebody else has made. */
  putJob(job: Omit<Job, 'status' | 'apiVersion' | 'kind'>): void;
  /** Somebody deletes a Job with its pods, or suspends it. */
  deleteJob(name: string): void;
  suspendJob(name: string, suspend: boolean): void;
  /** Whether pods that are to be deleted end at once (default). */
  endPods(atOnce: boolean): void;

  /** Open watches. */
  watches(): number;
  cutWatches(): void;
  sendBookmarks(): void;
  /** Forgets what has changed so far: a watch from an older version is expired. */
  compact(): void;
  /** Lets so much time go by at once. */
  advance(ms: number): void;

  start(): Promise<void>;
  close(): Promise<void>;
}

/** How often its controllers look for what time brings; for everything else they are called at once. */
const TICK_MS = 50;
/** Steps until nothing changes any more; more than a Job's whole life has. */
const MOST_PASSES = 30;

export function createKubernetesEmulator(options: KubernetesEmulatorOptions = {}): KubernetesEmulator {
  const { namespaces = ['agents'], accounts = { 'cluster-token': MAY_ALL }, onStarted } = options;
  let aheadMs = 0;
  const nowMs = (): number => Date.now() + aheadMs;
  const ledger = createLedger();
  const faults = createFaults();
  const store = createStore(nowMs);
  const jobsMade: Job[] = [];
  const podsStarted: EmulatedPod[] = [];
  store.subscribe(({ plural, type, object }) => {
    if (plural === 'jobs' && type === 'ADDED') jobsMade.push(object as Job);
  });
  const kubelet = createKubelet(store, nowMs, (pod) => {
    podsStarted.push(pod);
    onStarted?.(pod);
  });
  const controllers = createControllers(store, nowMs);
  const watches = createWatches(store);

  let isScheduled = false;
  /** Later, as real controllers come later: whoever has just changed something sees it as it made it. */
  const wake = (): void => {
    if (isScheduled) return;
    isScheduled = true;
    setImmediate(() => {
      isScheduled = false;
      settle();
    });
  };
  const settle = (): void => {
    for (let pass = 0; pass < MOST_PASSES; pass += 1) {
      const before = store.version();
      controllers.pass();
      kubelet.pass();
      if (store.version() === before) return;
    }
  };

  const accountOf = (header = ''): Account | undefined => {
    const token = header.replace(/^Bearer /, '');
    const rules = accounts[token];
    return rules && { user: `system:serviceaccount:agents:${token}`, rules };
  };
  const api = createApi({ store, kubelet, watches, namespaces: new Set(namespaces), nowMs, onChange: wake });
  const server = createHttpServer<Route>({
    name: 'Kubernetes',
    port: options.port,
    mounts: ROUTES.map((route) => ({ method: route.method, url: route.path, route })),
    prepare: (route, request) => {
      const account = accountOf(request.headers.authorization);
      return { token: account?.user, work: () => api(route, request, account) };
    },
    ledger,
    faults,
    nowMs,
  });
  let ticking: NodeJS.Timeout | undefined;

  const jobNamed = (name: string): Job => {
    const found = store.list('jobs').find(({ metadata }) => metadata.name === name);
    if (found === undefined) throw new Error(`no job ${name}`);
    return found;
  };

  return {
    get url() {
      return server.origin;
    },
    kubeconfig: ({
      token = Object.keys(accounts)[0] ?? '',
      namespace = namespaces[0] ?? '',
      url = server.origin,
    } = {}) =>
      JSON.stringify({
        apiVersion: 'v1',
        kind: 'Config',
        // The client takes a server without TLS only where it was told not to check it.
        clusters: [{ name: 'emulated', cluster: { server: url, 'insecure-skip-tls-verify': true } }],
        users: [{ name: 'agent', user: { token } }],
        contexts: [{ name: 'emulated', context: { cluster: 'emulated', user: 'agent', namespace } }],
        'current-context': 'emulated',
      }),
    ledger,
    faults,
    jobs: () => store.list('jobs'),
    pods: () => store.list('pods'),
    secrets: () => store.list('secrets'),
    jobsMade,
    podsStarted,
    pod(job) {
      const pods = store
        .list('pods')
        .filter(({ metadata }) => job === undefined || metadata.labels?.['job-name'] === job);
      const last = pods
        .toSorted((a, b) => Number(a.metadata.resourceVersion) - Number(b.metadata.resourceVersion))
        .at(-1);
      if (last === undefined) throw new Error('no such pod');
      const handle = kubelet.handle(last);
      const waking =
        <Args extends unknown[]>(act: (...args: Args) => void) =>
        (...args: Args): void => {
          act(...args);
          wake();
        };
      return {
        ...handle,
        exit: waking(handle.exit),
        stick: waking(handle.stick),
        unschedulable: waking(handle.unschedulable),
        unstick: waking(handle.unstick),
        disrupt: waking(handle.disrupt),
      };
    },
    putSecret(namespace, name, values) {
      const data = Object.entries(values).map(([key, value]) => [key, Buffer.from(value).toString('base64')]);
      const metadata = { name, namespace, uid: '', resourceVersion: '', creationTimestamp: '' };
      const secret = { apiVersion: 'v1', kind: 'Secret', metadata, type: 'Opaque' };
      store.create('secrets', { ...secret, data: Object.fromEntries(data) as Record<string, string> });
      wake();
    },
    putJob(job) {
      store.create('jobs', { apiVersion: 'batch/v1', kind: 'Job', ...job, status: {} });
      wake();
    },
    deleteJob(name) {
      const job = jobNamed(name);
      store.replace('jobs', { ...job, metadata: { ...job.metadata, deletionTimestamp: timestamp(nowMs()) } });
      wake();
    },
    suspendJob(name, suspend) {
      const job = jobNamed(name);
      store.replace('jobs', { ...job, spec: { ...job.spec, suspend } });
      wake();
    },
    endPods(atOnce) {
      kubelet.endPods = atOnce;
      wake();
    },
    watches: watches.count,
    cutWatches: watches.cut,
    sendBookmarks: watches.sendBookmarks,
    compact: store.compact,
    advance(ms) {
      aheadMs += ms;
      wake();
    },
    async start() {
      await server.start();
      ticking = setInterval(settle, TICK_MS);
    },
    async close() {
      clearInterval(ticking);
      await server.close();
    },
  };
}
