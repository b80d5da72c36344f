/**
 * Projection: writes every lifecycle label that is due and not yet confirmed (PROTOCOL 5). The worker normally does it
 * at once; this loop brings what a crash, a refusal or a platform outage has left behind.
 *
 * A few at a time for each credential, and a pass does not wait for them: a platform that hangs holds up only its own
 * labels. The list of what is due is taken in rounds, so that a thousand labels of one platform do not hide the others.
 */
import type { Run } from '../domain/run.ts';
import type { LabelWriter } from '../labels/label-writer.ts';
import type { LabelRecords } from '../runs/label-records.ts';
import type { RoundCursor } from '../runs/rounds.ts';
import type { RunReader } from '../runs/run-reader.ts';
import { createCredentialSlots } from './credential-slots.ts';
import type { Pass } from './repair.ts';

/** Labels looked at in one pass. */
const MOST_LABELS = 1_000;
/** Labels that are written or wait in line with one credential: enough until the next pass. */
const IN_LINE = 64;

/** A label that is due, and whose budget it costs. */
export interface DueLabel {
  readonly run: string;
  readonly credential: string;
}

/**
 * Which labels to write now, in their order: none that is being written or in line already, and no more in
 * line for one credential than it can do. Pure.
 */
export function chooseLabels(due: readonly DueLabel[], atWork: readonly DueLabel[]): DueLabel[] {
  const chosen: DueLabel[] = [];
  for (const label of due) {
    const busy = [...atWork, ...chosen];
    if (busy.some(({ run }) => run === label.run)) continue;
    if (busy.filter(({ credential }) => credential === label.credential).length < IN_LINE) chosen.push(label);
  }
  return chosen;
}

export interface ProjectionDeps {
  readonly records: Pick<LabelRecords, 'due'>;
  readonly runs: Pick<RunReader, 'get'>;
  readonly labels: Pick<LabelWriter, 'project'>;
  /** Whose budget the label of a run costs; '' when nobody knows. */
  readonly credentialOf: (run: Run) => string;
}

export function createProjection(deps: ProjectionDeps, options: { readonly claimCallMs: number }): Pass {
  const atWork = new Set<DueLabel>();
  const slotsOf = createCredentialSlots();
  const cursor: RoundCursor = { next: undefined };

  /** A run that is gone costs nothing: its label is only forgotten. */
  const dueLabel = async (id: string): Promise<DueLabel> => {
    const run = await deps.runs.get(id);
    return { run: id, credential: run === undefined ? '' : deps.credentialOf(run) };
  };

  return async (term) => {
    const due = await Promise.all((await deps.records.due(MOST_LABELS, cursor)).map(dueLabel));
    for (const label of chooseLabels(due, [...atWork])) {
      atWork.add(label);
      const turn = async (): Promise<void> => {
        const mayWrite = (): boolean => term.trusted(options.claimCallMs);
        if (mayWrite()) await deps.labels.project(label.run, { mayWrite, signal: term.signal });
      };
      // Never rejects; what could not be written is due again later.
      void slotsOf(label.credential)
        .execute(turn)
        .finally(() => atWork.delete(label));
    }
  };
}
