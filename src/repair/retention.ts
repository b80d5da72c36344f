/**
 * Retention: nothing that we write grows without bound (`redis/keys.ts` says what lives how long). Records go by
 * themselves when their time is over, and the scripts that add to a list trim it. This loop does what is left: it trims
 * the lists that nothing is added to any more, and takes off them what has no record or another state.
 *
 * It also ends live runs that can never end: those whose ticket has been given to a newer run, after a failover brought an
 * older record back. Otherwise the reconciler would give such a run a job for ever, and every worker would drop it.
 *
 * All of it is safe to do twice, and what a crash leaves undone is the next pass's.
 */
import type { Log } from '../foundation/log.ts';
import { type RetentionRecords, RUN_LISTS, type RunList, type Tidied } from '../runs/retention.ts';
import type { RoundCursor } from '../runs/rounds.ts';
import type { RunReader } from '../runs/run-reader.ts';
import { aboutRun, MOST_RUNS, type Pass, type Repair, type RepairFacts } from './repair.ts';

type RunRepair = Pick<RepairFacts, 'kind' | 'outcome'> & { readonly run: string };

/** What is to be told of a list that was put right, run by run. Pure. */
export function repairsOf({ restored, superseded }: Pick<Tidied, 'restored' | 'superseded'>): RunRepair[] {
  return [
    ...restored.map((run) => ({ run, kind: 'lost-ticket', outcome: 'ticket given back' }) as const),
    ...superseded.map((run) => ({ run, kind: 'superseded-run', outcome: 'ended' }) as const),
  ];
}

export interface RetentionDeps {
  readonly records: RetentionRecords;
  readonly runs: Pick<RunReader, 'get'>;
  readonly log: Log;
  readonly onRepair: Repair;
  /** So many entries of a list named runs that are gone or elsewhere. Never throws. */
  readonly onStrays: (list: RunList, count: number) => void;
}

export function createRetention(deps: RetentionDeps): Pass {
  const cursors = new Map<RunList, RoundCursor>(RUN_LISTS.map((list) => [list, { next: undefined }]));

  return async (term) => {
    term.assertTrusted();
    const trimmed = await deps.records.trim();
    if (trimmed.runs + trimmed.deliveries > 0) deps.log.info(trimmed, 'lists trimmed');
    for (const [list, cursor] of cursors) {
      term.assertTrusted();
      const tidied = await deps.records.tidy(list, cursor, MOST_RUNS);
      if (tidied.strays > 0) deps.onStrays(list, tidied.strays);
      for (const { run: id, ...facts } of repairsOf(tidied)) {
        const run = await deps.runs.get(id);
        if (run !== undefined) await deps.onRepair({ ...facts, ...aboutRun(run), ...detailOf(run.reason) });
      }
    }
  };
}

function detailOf(reason: string | undefined): Pick<RepairFacts, 'detail'> {
  return reason === undefined ? {} : { detail: reason };
}
