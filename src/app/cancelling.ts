/** How live runs are ended because somebody wants that, on the stores of this process. */
import { createRunCanceller, type RunCanceller } from '../claims/run-canceller.ts';
import { createUnwantedRuns, type UnwantedRuns } from '../claims/unwanted-runs.ts';
import type { LabelWriter, WritePermission } from '../labels/label-writer.ts';
import type { AppOptions, Shared } from './options.ts';
import type { Stores } from './stores.ts';

export interface Cancelling {
  readonly canceller: RunCanceller;
  readonly unwanted: UnwantedRuns;
}

export interface CancellingParts {
  readonly stores: Stores;
  readonly labels: Pick<LabelWriter, 'project'>;
  /** Aborts when the process has to end. */
  readonly ending: AbortSignal;
}

export function openCancelling(
  { log }: Pick<AppOptions, 'log'>,
  { projects, metrics }: Pick<Shared, 'projects'> & { readonly metrics: Pick<Shared['metrics'], 'runEnded'> },
  { stores, labels, ending }: CancellingParts,
): Cancelling {
  const { cancellations, decisions, runs } = stores;
  // What a record says may be written by anybody who has just read it.
  const permission: WritePermission = { mayWrite: () => !ending.aborted, signal: ending };
  const showLabel = (run: string): Promise<void> => labels.project(run, permission);
  const canceller = createRunCanceller({
    cancellations,
    decisions,
    log,
    onEnded({ id, project, pipeline = '' }, state) {
      metrics.runEnded({ project, pipeline, state, durationMs: undefined });
      void showLabel(id);
    },
  });
  const unwanted = createUnwantedRuns({
    catalog: projects.withRemoved,
    platformOf: projects.platformOf,
    runs,
    canceller,
    showLabel,
  });
  return { canceller, unwanted };
}
