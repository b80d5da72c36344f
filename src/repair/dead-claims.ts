/**
 * Dead claims: a run that stays `received` without a lock belongs to a claim that died; it is claimed again and goes on
 * as the same run (PROTOCOL 2).
 *
 * Each takes up to the deadline of a claim, so a few go side by side for each credential, and the next pass comes meanwhile:
 * a platform that hangs holds up its own claims only.
 *
 * A claim finds its ticket by the name of a project. If the project of that name is gone or watches another source by
 * now, a claim would lead to somebody else's ticket of the same number: the run waits, visibly, until it comes back.
 *
 * A run that somebody has cancelled meanwhile is not claimed again: it ends, and needs no platform for that.
 */
import { randomUUID } from 'node:crypto';
import type { RunCanceller } from '../claims/run-canceller.ts';
import type { TicketClaimService } from '../claims/ticket-claim-service.ts';
import type { Term } from '../coordination/leader.ts';
import type { Catalog } from '../domain/project.ts';
import { leadsHome } from '../domain/routing.ts';
import type { Run } from '../domain/run.ts';
import { messageOf } from '../foundation/errors.ts';
import type { Log } from '../foundation/log.ts';
import type { ClaimRecords } from '../runs/claim-records.ts';
import type { RoundCursor } from '../runs/rounds.ts';
import type { RunReader } from '../runs/run-reader.ts';
import { createCredentialSlots } from './credential-slots.ts';
import { aboutRun, MOST_RUNS, type Pass, type Repair } from './repair.ts';

export interface DeadClaimsDeps {
  /** The catalog that claims go by. */
  readonly catalog: () => Catalog;
  /** Whose budget a claim of this run costs. */
  readonly credentialOf: (run: Run) => string;
  readonly runs: Pick<RunReader, 'inState'>;
  readonly claimRecords: Pick<ClaimRecords, 'isLocked' | 'begin' | 'abandon'>;
  readonly claims: TicketClaimService;
  readonly canceller: Pick<RunCanceller, 'tell'>;
  readonly log: Log;
  readonly onRepair: Repair;
  /** All runs that no claim can lead home, at the end of every pass; mostly none. Never throws. */
  readonly onHomeless: (runs: readonly Run[]) => Promise<void>;
}

/** A pass ends when its claims have; the next one may begin before, and leaves those alone. */
export function createDeadClaims(deps: DeadClaimsDeps, options: { readonly reconcileGraceMs: number }): Pass {
  const takeOver = async (run: Run, signal: AbortSignal): Promise<void> => {
    if (await deps.claimRecords.isLocked(run.platform, run.ticket)) return;
    const outcome = await deps.claims.claim(
      { project: run.project, ticketId: run.ticketId, trigger: 'reconcile' },
      signal,
    );
    // The claim has said so itself when it could not go on; the next pass tries again.
    if (outcome.kind !== 'claimed' || outcome.run !== run.id) return;
    await deps.onRepair({ kind: 'dead-claim', ...aboutRun(run), outcome: outcome.kind, detail: 'taken over' });
  };

  /** Somebody has cancelled it: whatever its claim has left on the ticket, the label of the end takes its place. */
  const endCancelled = async (run: Run): Promise<void> => {
    const { ticket, ticketId, platform, project, trigger } = run;
    const question = { ticket, ticketId, platform, project, trigger, insist: true };
    const begun = await deps.claimRecords.begin({ ...question, newRun: run.id, token: randomUUID() });
    if (!('hold' in begun)) return;
    const reply = await deps.claimRecords.abandon(begun.hold, { keep: false, backOff: false });
    if (reply.kind === 'cancelled') await deps.canceller.tell(run, reply.by);
  };

  /** At work or in line. */
  const begun = new Set<string>();
  const slotsOf = createCredentialSlots();
  const inTurn = async (run: Run, term: Term): Promise<void> => {
    if (begun.has(run.id)) return;
    begun.add(run.id);
    const turn = async (): Promise<void> => {
      if (!term.trusted()) return;
      await takeOver(run, term.signal).catch((error: unknown) => {
        deps.log.warn({ run: run.id, error: messageOf(error) }, 'claim not taken over yet');
      });
    };
    await slotsOf(deps.credentialOf(run))
      .execute(turn)
      .finally(() => begun.delete(run.id));
  };

  const cursor: RoundCursor = { next: undefined };
  return async (term) => {
    const received = await deps.runs.inState('received', {
      most: MOST_RUNS,
      minAgeMs: options.reconcileGraceMs,
      cursor,
    });
    const [unwanted, wanted] = parted(received, ({ cancelRequested }) => cancelRequested !== undefined);
    const [homely, homeless] = parted(wanted, (run) => leadsHome(deps.catalog(), run));
    const takeOvers = homely.map((run) => inTurn(run, term));
    await deps.onHomeless(homeless);
    for (const run of unwanted) {
      term.assertTrusted();
      await endCancelled(run).catch((error: unknown) => {
        deps.log.warn({ run: run.id, error: messageOf(error) }, 'cancelled claim not ended yet');
      });
    }
    await Promise.all(takeOvers);
  };
}

function parted<T>(items: readonly T[], belongs: (item: T) => boolean): [T[], T[]] {
  return [items.filter(belongs), items.filter((item) => !belongs(item))];
}
