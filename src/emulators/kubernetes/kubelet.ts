/**
 * The nodes: what becomes of pods, as the test says. Without a word of it a pod that can start is started and runs on; one
 * whose Secrets are not there waits for them. Logs are kept here, and go with their pods.
 */
import { type ContainerState, isEnded, type Pod, type Secret } from './objects.ts';
import { type Store, timestamp } from './store.ts';

/** What a test does with a pod; each act needs the pod to be there. */
export interface EmulatedPod {
  readonly name: string;
  readonly namespace: string;
  /** Labels and annotations of the Job come with it. */
  readonly labels: Readonly<Record<string, string>>;
  /** The environment of its container, Secrets resolved; undefined values are not set. */
  environment(): Record<string, string>;
  /** A file of a mounted Secret, by its key. */
  mounted(key: string): string | undefined;
  print(text: string): void;
  /** The container ends. `message`: what it wrote to its termination log. */
  exit(how?: { readonly code?: number; readonly message?: string; readonly reason?: string }): void;
  /** Stays pending, with a reason such as `ImagePullBackOff`. */
  stick(reason: string, message?: string): void;
  /** No node takes it. */
  unschedulable(message?: string): void;
  /** Goes on after `stick` or `unschedulable`. */
  unstick(): void;
  /** The cluster takes it from its node. */
  disrupt(reason?: string): void;
}

export interface Kubelet {
  /** One step of every pod. */
  pass(): void;
  logOf(pod: Pod): string;
  handle(pod: Pod): EmulatedPod;
  /** Whether pods that are to be deleted end at once (default); else they take their grace. */
  endPods: boolean;
}

/** A termination message is cut there, as kubelets do it. */
const MOST_MESSAGE_BYTES = 4096;

export function createKubelet(store: Store, nowMs: () => number, onStarted: (pod: EmulatedPod) => void): Kubelet {
  const logs = new Map<string, string>();
  const stuck = new Set<string>();
  const started = new Set<string>();
  let endPods = true;

  const fresh = (pod: Pod): Pod => {
    const found = store.read('pods', pod.metadata.namespace, pod.metadata.name);
    if (found?.metadata.uid !== pod.metadata.uid) throw new Error(`pod ${pod.metadata.name} is gone`);
    return found;
  };
  const setState = (pod: Pod, phase: Pod['status']['phase'], state: ContainerState, more: object = {}): void => {
    const containerStatuses = pod.spec.containers.map(({ name }) => ({ name, ready: phase === 'Running', state }));
    store.replace('pods', { ...pod, status: { ...pod.status, ...more, phase, containerStatuses } });
  };
  const secret = (pod: Pod, name: string): Secret | undefined => store.read('secrets', pod.metadata.namespace, name);
  const valueOf = (pod: Pod, name: string, key: string): string | undefined => {
    const value = secret(pod, name)?.data[key];
    return value === undefined ? undefined : Buffer.from(value, 'base64').toString();
  };
  /** What keeps a pod from starting for want of a Secret, in the words of a kubelet. */
  const missing = (pod: Pod): string | undefined => {
    const [container] = pod.spec.containers;
    const mounted = (pod.spec.volumes ?? []).flatMap((volume) => volume.secret?.secretName ?? []);
    const all = (container?.envFrom ?? []).flatMap(({ secretRef }) => secretRef?.name ?? []);
    const absent = [...mounted, ...all].find((name) => secret(pod, name) === undefined);
    if (absent !== undefined) return `secret "${absent}" not found`;
    for (const { valueFrom } of container?.env ?? []) {
      const { name = '', key = '' } = valueFrom?.secretKeyRef ?? {};
      if (name !== '' && valueOf(pod, name, key) === undefined) return `couldn't find key ${key} in Secret ${name}`;
    }
    return undefined;
  };

  const handle = (pod: Pod): EmulatedPod => ({
    name: pod.metadata.name,
    namespace: pod.metadata.namespace,
    labels: pod.metadata.labels ?? {},
    environment() {
      const [container] = pod.spec.containers;
      const whole = (container?.envFrom ?? []).flatMap(({ secretRef }) =>
        Object.keys(secret(pod, secretRef?.name ?? '')?.data ?? {}).map((key) => [
          key,
          valueOf(pod, secretRef?.name ?? '', key) ?? '',
        ]),
      );
      const single = (container?.env ?? []).map(({ name, value, valueFrom }) => {
        const { name: from = '', key = '' } = valueFrom?.secretKeyRef ?? {};
        return [name, value ?? valueOf(pod, from, key) ?? ''];
      });
      return Object.fromEntries([...whole, ...single]) as Record<string, string>;
    },
    mounted(key) {
      const names = (pod.spec.volumes ?? []).flatMap((volume) => volume.secret?.secretName ?? []);
      return names.map((name) => valueOf(pod, name, key)).find((value) => value !== undefined);
    },
    print(text) {
      logs.set(pod.metadata.uid, (logs.get(pod.metadata.uid) ?? '') + text);
    },
    exit({ code = 0, message = '', reason = code === 0 ? 'Completed' : 'Error' } = {}) {
      const current = fresh(pod);
      const cut = Buffer.from(message).subarray(0, MOST_MESSAGE_BYTES).toString();
      const terminated = {
        exitCode: code,
        reason,
        ...(cut !== '' && { message: cut }),
        finishedAt: timestamp(nowMs()),
      };
      setState(current, code === 0 ? 'Succeeded' : 'Failed', { terminated });
    },
    stick(reason, message) {
      stuck.add(pod.metadata.uid);
      setState(fresh(pod), 'Pending', { waiting: { reason, ...(message !== undefined && { message }) } });
    },
    unschedulable(message = '0/3 nodes are available: 3 Insufficient cpu.') {
      stuck.add(pod.metadata.uid);
      const current = fresh(pod);
      const lastTransitionTime = timestamp(nowMs());
      const condition = { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message, lastTransitionTime };
      const status: Pod['status'] = { phase: 'Pending', conditions: [{ ...condition, status: 'False' }] };
      store.replace('pods', { ...current, status });
    },
    unstick: () => void stuck.delete(pod.metadata.uid),
    disrupt(reason = 'Evicted') {
      const current = fresh(pod);
      const lastTransitionTime = timestamp(nowMs());
      const conditions = [{ type: 'DisruptionTarget', status: 'True' as const, reason, lastTransitionTime }];
      const terminated = { exitCode: 137, reason: 'Error', finishedAt: lastTransitionTime };
      setState(
        current,
        'Failed',
        { terminated },
        { conditions, reason, message: 'The node was low on resource: memory.' },
      );
    },
  });

  const step = (pod: Pod): void => {
    const { uid, deletionTimestamp, namespace, name } = pod.metadata;
    if (deletionTimestamp !== undefined) {
      if (!endPods) return;
      logs.delete(uid);
      store.remove('pods', namespace, name);
      return;
    }
    if (isEnded(pod) || stuck.has(uid)) return;
    const waitsFor = missing(pod);
    if (waitsFor !== undefined) {
      setState(pod, 'Pending', { waiting: { reason: 'CreateContainerConfigError', message: waitsFor } });
      return;
    }
    if (pod.status.phase === 'Pending') {
      setState(pod, 'Running', { running: { startedAt: timestamp(nowMs()) } }, { conditions: [] });
      return;
    }
    if (started.has(uid)) return;
    started.add(uid);
    onStarted(handle(pod));
  };

  return {
    pass() {
      for (const pod of store.list('pods')) step(pod);
    },
    logOf: (pod) => logs.get(pod.metadata.uid) ?? '',
    handle,
    get endPods() {
      return endPods;
    },
    set endPods(value) {
      endPods = value;
    },
  };
}
