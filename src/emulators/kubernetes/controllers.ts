/**
 * What the controllers of a cluster do by themselves: pods for Jobs, conditions, deadlines, the clean-up of finished Jobs,
 * and of what belongs to something that is gone. One pass brings everything one step further, as theirs do: what is seen in
 * between (a pod without a node, a Job that is about to fail) is there to be seen.
 */
import { randomUUID } from 'node:crypto';
import { type Condition, holds, isEnded, isFinished, type Job, type Pod } from './objects.ts';
import { type Store, timestamp } from './store.ts';

export const FOREGROUND = 'foregroundDeletion';

export interface Controllers {
  /** One step of everything. */
  pass(): void;
}

export function createControllers(store: Store, nowMs: () => number): Controllers {
  const stamp = (): string => timestamp(nowMs());
  const podsOf = (job: Job): Pod[] =>
    store.list('pods', job.metadata.namespace).filter((pod) => ownerOf(pod) === job.metadata.uid);

  const setCondition = (job: Job, type: string, more: { reason?: string; message?: string } = {}): void => {
    if (holds(job.status.conditions, type)) return;
    const condition: Condition = { type, status: 'True', lastTransitionTime: stamp(), ...more };
    const others = (job.status.conditions ?? []).filter((one) => one.type !== type);
    job.status.conditions = [...others, condition];
  };
  const dropCondition = (job: Job, type: string): void => {
    if (job.status.conditions === undefined) return;
    job.status.conditions = job.status.conditions.filter((one) => one.type !== type);
  };
  const deletePod = (pod: Pod): void => {
    if (pod.metadata.deletionTimestamp !== undefined) return;
    store.replace('pods', { ...pod, metadata: { ...pod.metadata, deletionTimestamp: stamp() } });
  };

  const createPod = (job: Job): void => {
    const { name, namespace, uid } = job.metadata;
    const { metadata = {}, spec } = job.spec.template;
    const labels = {
      ...metadata.labels,
      'batch.kubernetes.io/controller-uid': uid,
      'batch.kubernetes.io/job-name': name,
      'controller-uid': uid,
      'job-name': name,
    };
    store.create('pods', {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        name: `${name}-${randomUUID().slice(0, 5)}`,
        namespace,
        uid: '',
        resourceVersion: '',
        creationTimestamp: '',
        labels,
        ...(metadata.annotations !== undefined && { annotations: metadata.annotations }),
        ownerReferences: [{ apiVersion: 'batch/v1', kind: 'Job', name, uid, controller: true }],
      },
      spec,
      status: { phase: 'Pending' },
    });
  };

  /** A pod that the cluster took away, where the Job says that this does not count. */
  const isIgnored = (job: Job, pod: Pod): boolean =>
    (job.spec.podFailurePolicy?.rules ?? []).some(
      ({ action, onPodConditions = [] }) =>
        action === 'Ignore' && onPodConditions.some(({ type }) => holds(pod.status.conditions, type)),
    );

  const fail = (job: Job, reason: string, message: string): void => {
    if (!holds(job.status.conditions, 'FailureTarget')) setCondition(job, 'FailureTarget', { reason, message });
    else setCondition(job, 'Failed', { reason, message });
  };

  const suspend = (job: Job, pods: readonly Pod[]): void => {
    for (const pod of pods) deletePod(pod);
    delete job.status.startTime;
    job.status.active = pods.length;
    setCondition(job, 'Suspended', { reason: 'JobSuspended', message: 'Job suspended' });
  };

  const advanceJob = (job: Job): void => {
    const pods = podsOf(job);
    if (job.metadata.deletionTimestamp !== undefined || isFinished(job)) return;
    if (job.spec.suspend === true) return suspend(job, pods);
    dropCondition(job, 'Suspended');
    job.status.startTime ??= stamp();
    const failing = job.status.conditions?.find(({ type, status }) => type === 'FailureTarget' && status === 'True');
    if (failing !== undefined) {
      for (const pod of pods) if (!isEnded(pod)) deletePod(pod);
      const active = pods.filter((pod) => !isEnded(pod)).length;
      job.status.active = active;
      if (active === 0) fail(job, failing.reason ?? '', failing.message ?? '');
      return;
    }
    const deadlineMs = Date.parse(job.status.startTime) + (job.spec.activeDeadlineSeconds ?? Infinity) * 1000;
    if (nowMs() >= deadlineMs) {
      return fail(job, 'DeadlineExceeded', 'Job was active longer than specified deadline');
    }
    const counting = pods.filter((pod) => !isIgnored(job, pod));
    if (counting.some(({ status }) => status.phase === 'Succeeded')) {
      job.status.active = 0;
      job.status.succeeded = 1;
      job.status.completionTime = stamp();
      setCondition(job, 'SuccessCriteriaMet', { reason: 'CompletionsReached' });
      return setCondition(job, 'Complete', { reason: 'CompletionsReached' });
    }
    const failed = counting.filter((pod) => pod.status.phase === 'Failed').length + lostPods(job);
    job.status.failed = failed;
    if (failed > (job.spec.backoffLimit ?? 6)) {
      return fail(job, 'BackoffLimitExceeded', 'Job has reached the specified backoff limit');
    }
    if (pods.every(isEnded)) createPod(job);
    job.status.active = podsOf(job).filter((pod) => !isEnded(pod)).length;
  };

  /** Pods that somebody deleted before they had ended count as failed. */
  const lost = new Map<string, Set<string>>();
  const lostPods = (job: Job): number => lost.get(job.metadata.uid)?.size ?? 0;
  store.subscribe(({ plural, type, object }) => {
    if (plural !== 'pods' || type !== 'DELETED') return;
    const pod = object as Pod;
    const owner = ownerOf(pod);
    const job = store.list('jobs', pod.metadata.namespace).find(({ metadata }) => metadata.uid === owner);
    if (owner === undefined || isEnded(pod) || job?.spec.suspend !== false) return;
    lost.set(owner, (lost.get(owner) ?? new Set()).add(pod.metadata.uid));
  });

  const removeDeleted = (job: Job): void => {
    const { deletionTimestamp, finalizers = [], namespace, name } = job.metadata;
    if (deletionTimestamp === undefined) return;
    const pods = podsOf(job);
    for (const pod of pods) deletePod(pod);
    if (pods.length === 0 || !finalizers.includes(FOREGROUND)) store.remove('jobs', namespace, name);
  };

  const cleanUp = (job: Job): void => {
    const { ttlSecondsAfterFinished: ttl } = job.spec;
    if (ttl === undefined || !isFinished(job)) return;
    const ended = job.status.conditions?.find(({ type }) => type === 'Complete' || type === 'Failed');
    const endedMs = Date.parse(ended?.lastTransitionTime ?? '');
    if (nowMs() < endedMs + ttl * 1000) return;
    const metadata = { ...job.metadata, deletionTimestamp: stamp(), finalizers: [FOREGROUND] };
    store.replace('jobs', { ...job, metadata });
  };

  const collectGarbage = (): void => {
    const living = new Set(
      [...store.list('jobs'), ...store.list('pods'), ...store.list('secrets')].map(({ metadata }) => metadata.uid),
    );
    const isOrphan = (owner: string | undefined): boolean => owner !== undefined && !living.has(owner);
    for (const pod of store.list('pods')) if (isOrphan(ownerOf(pod))) deletePod(pod);
    for (const { metadata } of store.list('secrets')) {
      const owners = metadata.ownerReferences ?? [];
      if (owners.length > 0 && owners.every(({ uid }) => isOrphan(uid))) {
        store.remove('secrets', metadata.namespace, metadata.name);
      }
    }
  };

  return {
    pass() {
      for (const job of store.list('jobs')) {
        const next = structuredClone(job);
        advanceJob(next);
        const current = store.read('jobs', job.metadata.namespace, job.metadata.name);
        if (current !== undefined) store.replace('jobs', { ...next, metadata: current.metadata });
      }
      for (const job of store.list('jobs')) cleanUp(job);
      for (const job of store.list('jobs')) removeDeleted(job);
      collectGarbage();
    },
  };
}

function ownerOf(pod: Pod): string | undefined {
  return pod.metadata.ownerReferences?.find(({ kind }) => kind === 'Job')?.uid;
}
