/**
 * The lifecycle label: a picture of the run on the ticket. People's labels are never part of it, and nothing here ever
 * names a label outside the prefix.
 */
const LIFECYCLE_PREFIX = 'agent-smith:';

export const LIFECYCLES = ['pending', 'enqueued', 'in-progress', 'done', 'failed'] as const;

/** The state that a lifecycle label shows. */
export type Lifecycle = (typeof LIFECYCLES)[number];

/** The label of a lifecycle, for example `agent-smith:pending`. */
export function lifecycleLabel(lifecycle: Lifecycle): string {
  return `${LIFECYCLE_PREFIX}${lifecycle}`;
}

const BY_LABEL: ReadonlyMap<string, Lifecycle> = new Map(LIFECYCLES.map((l) => [lifecycleLabel(l), l]));

/** What a label says about the lifecycle; undefined for people's labels. Letter case is ignored, as platforms do. */
export function lifecycleOf(label: string): Lifecycle | undefined {
  return BY_LABEL.get(label.toLowerCase());
}

/** Every lifecycle among the labels of a ticket, in the order of `LIFECYCLES`. */
export function lifecyclesOf(labels: readonly string[]): Lifecycle[] {
  const found = new Set(labels.map(lifecycleOf));
  return LIFECYCLES.filter((lifecycle) => found.has(lifecycle));
}

/** Whether a label belongs to us: it starts with the prefix, known or not. Such a label is never a trigger. */
export function isOurs(label: string): boolean {
  return label.toLowerCase().startsWith(LIFECYCLE_PREFIX);
}

/**
 * What several lifecycle labels mean together: done/failed > in-progress > enqueued > pending; none means undefined,
 * which is treated as pending. Of done and failed together the record decides; without one it is failed.
 */
export function readLifecycle(labels: readonly string[], record?: 'done' | 'failed'): Lifecycle | undefined {
  const found = lifecyclesOf(labels);
  if (found.includes('done') && found.includes('failed')) return record ?? 'failed';
  return (['done', 'failed', 'in-progress', 'enqueued', 'pending'] as const).find((l) => found.includes(l));
}

/** Labels are compared without regard to letter case everywhere: GitHub and Azure DevOps do, and people do. */
export function hasLabel(labels: readonly string[], wanted: string): boolean {
  return labels.some((label) => label.toLowerCase() === wanted.toLowerCase());
}
