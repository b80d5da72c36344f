/** The names and words by which a Job is known to be ours, and whose: in labels to list by, in annotations to read. */
import { createHash } from 'node:crypto';
import type { TicketKey } from '../../../domain/ticket.ts';

export const MANAGED_BY = { key: 'app.kubernetes.io/managed-by', value: 'agent-smith' } as const;
/** All of our Jobs in a namespace. */
export const OUR_JOBS = `${MANAGED_BY.key}=${MANAGED_BY.value}`;

/** Label and annotation. */
export const RUN = 'agent-smith/run';
/** Of the attempt that has the Job in hand: it only grows. */
export const ATTEMPT = 'agent-smith/attempt';
export const FENCE = 'agent-smith/fence';
export const TICKET = 'agent-smith/ticket';
export const PROJECT = 'agent-smith/project';
export const PIPELINE = 'agent-smith/pipeline';
/** Name of the Secret with ticket and environment. */
export const SECRET = 'agent-smith/secret';
/** Fence of the attempt that let the pod start. */
export const RELEASED = 'agent-smith/released';

/** The container of the work; others may have been added to the pod by the cluster. */
export const CONTAINER = 'work';

/** From the ticket alone: two runs of one ticket cannot have a Job at the same time. */
export function jobName(ticket: TicketKey): string {
  return `agentsmith-${createHash('sha256').update(ticket).digest('hex').slice(0, 20)}`;
}

/** A Secret belongs to one making of a Job, so it needs no name that could be taken by another. */
export function secretName(job: string, fence: number): string {
  return `${job}-${fence.toString(36)}`;
}
