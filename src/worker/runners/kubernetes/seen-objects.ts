/** From the cluster's objects to what we look at. Pure; whatever is missing in them is not there. */
import type { V1ContainerStatus, V1Job, V1Pod } from '@kubernetes/client-node';
import { oneLine } from '../../../foundation/one-line.ts';
import type { ContainerEnd, JobState, SeenJob, SeenPod } from './cluster.ts';
import { CONTAINER, FENCE, MANAGED_BY, RELEASED, RUN, SECRET } from './job-words.ts';

export function seenJob({ metadata = {}, status = {} }: V1Job): SeenJob {
  const { annotations = {}, labels = {} } = metadata;
  const run = labels[MANAGED_BY.key] === MANAGED_BY.value ? annotations[RUN] : undefined;
  return {
    name: metadata.name ?? '',
    uid: metadata.uid ?? '',
    resourceVersion: metadata.resourceVersion ?? '',
    ...(run !== undefined && { run }),
    // What is no number there is older than everything.
    fence: Number(annotations[FENCE]) || 0,
    released: annotations[RELEASED] !== undefined,
    secret: annotations[SECRET] ?? '',
    deleting: metadata.deletionTimestamp !== undefined,
    state: stateOf(status.conditions ?? []),
  };
}

function stateOf(conditions: NonNullable<NonNullable<V1Job['status']>['conditions']>): JobState {
  const holding = (type: string) => conditions.find((one) => one.type === type && one.status === 'True');
  if (holding('Complete') !== undefined) return { kind: 'complete' };
  const failed = holding('Failed');
  if (failed !== undefined) return { kind: 'failed', reason: failed.reason ?? '', message: failed.message ?? '' };
  return holding('FailureTarget') === undefined ? { kind: 'active' } : { kind: 'failing' };
}

/** Reasons for waiting that are no trouble. */
const IN_ORDER = new Set(['ContainerCreating', 'PodInitializing', '']);

export function seenPod({ metadata = {}, status = {} }: V1Pod): SeenPod {
  const statuses = status.containerStatuses ?? [];
  const work = statuses.find(({ name }) => name === CONTAINER);
  const ended = work?.state?.terminated;
  const problem = status.phase === 'Pending' ? problemOf(status, statuses) : undefined;
  const disruption = status.phase === 'Failed' ? disruptionOf(status) : undefined;
  return {
    name: metadata.name ?? '',
    uid: metadata.uid ?? '',
    owner: metadata.ownerReferences?.find(({ kind }) => kind === 'Job')?.uid ?? '',
    createdAtMs: metadata.creationTimestamp === undefined ? 0 : new Date(metadata.creationTimestamp).getTime(),
    ...(problem !== undefined && { problem }),
    ...(disruption !== undefined && { disruption }),
    started: ended !== undefined || work?.state?.running !== undefined,
    ...(ended !== undefined && { ended: endOf(ended) }),
  };
}

function endOf({
  exitCode,
  reason = '',
  message = '',
}: {
  exitCode: number;
  reason?: string;
  message?: string;
}): ContainerEnd {
  return { exitCode, reason, message };
}

function problemOf(status: NonNullable<V1Pod['status']>, statuses: readonly V1ContainerStatus[]): string | undefined {
  const scheduled = status.conditions?.find(({ type }) => type === 'PodScheduled');
  if (scheduled?.status === 'False') return told('no node takes its pod', scheduled.reason, scheduled.message);
  for (const { name, state } of [...(status.initContainerStatuses ?? []), ...statuses]) {
    const { reason = '', message } = state?.waiting ?? {};
    if (!IN_ORDER.has(reason)) return told(`its container ${name} does not start`, reason, message);
  }
  return undefined;
}

function disruptionOf({ reason, message }: NonNullable<V1Pod['status']>): string | undefined {
  return reason === undefined ? undefined : told('its pod was ended by the cluster', reason, message);
}

/** The cluster's words are long and quote what it was given: a line of them is enough. */
function told(what: string, reason = 'no reason given', message = ''): string {
  const words = oneLine(message, 300);
  return `${what} (${reason}${words === '' ? '' : `: ${words}`})`;
}
