/** Which pipeline a ticket runs, the same for every trigger (PipelineResolver). */
import { hasLabel, isOurs, lifecycleOf } from './lifecycle.ts';
import type { Routing } from './project.ts';

/** The pipeline of last resort, when a project names none. */
const FALLBACK_PIPELINE = 'fix-bug';

export interface Route {
  readonly pipeline: string;
  /** The trigger label that matched, as the configuration spells it; undefined when `agent-smith:pending` was enough. */
  readonly label?: string;
}

/**
 * Lifecycle labels are dropped, then the keys of `pipeline_from_label` are tried in YAML order; the first that is on
 * the ticket wins. Without a match, `agent-smith:pending` starts the default pipeline. Undefined means that nobody
 * asked for a run.
 */
export function resolvePipeline(routing: Routing, labels: readonly string[]): Route | undefined {
  const own = labels.filter((label) => !isOurs(label));
  for (const [label, pipeline] of routing.pipelineFromLabel) {
    if (hasLabel(own, label)) return { pipeline, label };
  }
  if (!labels.some((label) => lifecycleOf(label) === 'pending')) return undefined;
  return { pipeline: defaultPipeline(routing) };
}

/** What a ticket with `agent-smith:pending` alone runs. */
export function defaultPipeline(routing: Routing): string {
  return routing.defaultPipeline ?? routing.pipeline ?? FALLBACK_PIPELINE;
}
