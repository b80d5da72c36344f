/**
 * Projection: writes every lifecycle label that is due and not yet confirmed (PROTOCOL 5). The worker normally does it
 * at once; this loop brings what a crash, a refusal or a platform outage has left behind.
 */
import type { LabelWriter } from '../labels/label-writer.ts';
import type { LabelRecords } from '../runs/label-records.ts';
import type { Pass } from './repair.ts';

/** Labels written in one pass; the rest is due in the next. */
const MOST_LABELS = 64;

export interface ProjectionDeps {
  readonly records: Pick<LabelRecords, 'due'>;
  readonly labels: Pick<LabelWriter, 'project'>;
}

export function createProjection(deps: ProjectionDeps): Pass {
  return async (term) => {
    const due = await deps.records.due(MOST_LABELS);
    await Promise.all(
      due.map((run) => deps.labels.project(run, { mayWrite: () => term.trusted(), signal: term.signal })),
    );
  };
}
