/**
 * The only way a run's lifecycle label reaches its ticket after the claim (PROTOCOL 5). The worker calls it at each
 * transition, the projection loop for whatever is still unconfirmed; both may do so at any time, as often as they like.
 *
 *   read record -> read ticket -> table -> write -> read back -> settle, if the record is still in that state
 *                      ^                                            |
 *                      +------------- moved on: newest state only --+
 *
 * What a crash at any step leaves behind: an unconfirmed label that the projection loop finds due.
 */
import { decideLabel } from '../domain/label-table.ts';
import { lifecyclesOf } from '../domain/lifecycle.ts';
import type { Catalog, Project } from '../domain/project.ts';
import { isTerminal, projectionOf, type Run } from '../domain/run.ts';
import type { Ticket } from '../domain/ticket.ts';
import { messageOf } from '../foundation/errors.ts';
import type { Findings } from '../foundation/findings.ts';
import type { Log } from '../foundation/log.ts';
import { type Call, PlatformError, type TicketPlatform } from '../platforms/contract.ts';
import type { LabelRecords, Settlement } from '../runs/label-records.ts';
import type { RunReader } from '../runs/run-reader.ts';
import { closingComment } from './closing-comment.ts';

export interface LabelWriter {
  /**
   * Brings the label of a run to what its record says. Never throws; what could not be done is due again later.
   * `mayWrite` is asked on the line before each write and must leave more time than one call may take.
   */
  project(run: string, permission: WritePermission): Promise<void>;
  /** Resolves when no label is being written any more. */
  idle(): Promise<void>;
}

export interface WritePermission {
  readonly mayWrite: () => boolean;
  readonly signal: AbortSignal;
}

export interface LabelWriterDeps {
  readonly catalog: () => Catalog;
  readonly platformOf: (project: Project) => TicketPlatform | undefined;
  readonly runs: Pick<RunReader, 'get'>;
  readonly records: LabelRecords;
  readonly findings: Findings;
  readonly log: Log;
  /** From the transition to the confirmed label, in ms of Redis TIME. */
  readonly onConfirmed?: (run: Run) => void;
}

export interface LabelWriterOptions {
  readonly claimCallMs: number;
  readonly projectionScanMs: number;
  readonly projectionGraceMs: number;
  readonly attemptRetryMaxMs: number;
  readonly labelGiveUpMs: number;
}

/** A run that changes state this often while we write is somebody else's turn: the loop comes back to it. */
const MOST_ROUNDS = 5;

export function createLabelWriter(deps: LabelWriterDeps, options: LabelWriterOptions): LabelWriter {
  const { records, log } = deps;
  /** One writer per run in this process; a call that finds one at work makes it look once more. */
  const working = new Map<string, { again: boolean; done: Promise<void> }>();

  /** One round; true when the run has moved on and wants another. */
  const round = async (runId: string, permission: WritePermission): Promise<boolean> => {
    const run = await deps.runs.get(runId);
    if (run === undefined) {
      await records.forget(runId);
      return false;
    }
    if (projectionOf(run.state) === undefined) return false;
    const settlement = await bring(run, permission);
    if (settlement === undefined) return false;
    const { movedOn, doubts } = await records.settle(run, settlement);
    if (settlement.kind === 'confirmed' && !movedOn) deps.onConfirmed?.(run);
    if (settlement.kind === 'unwritable') log.warn({ ...factsOf(run), reason: settlement.reason }, 'label unwritable');
    if (settlement.kind === 'doubt') log.warn({ ...factsOf(run), doubts }, 'confirmed label was overwritten');
    return movedOn || settlement.kind === 'doubt';
  };

  /** Lays record and ticket side by side and writes what is missing. Undefined: not allowed to write now. */
  const bring = async (run: Run, permission: WritePermission): Promise<Settlement | undefined> => {
    const project = deps.catalog().projects.find(({ name }) => name === run.project);
    const platform = project === undefined ? undefined : deps.platformOf(project);
    if (platform === undefined) return later(run, `project ${run.project} is not connected`);
    const call = (purpose: Call['purpose']): Call => ({
      purpose,
      deadlineMs: options.claimCallMs,
      signal: permission.signal,
    });
    try {
      const ticket = await platform.readTicket(run.ticketId, call('label'));
      const action = decideLabel({ run, labels: ticket.labels, locked: false });
      switch (action.kind) {
        case 'write': {
          if (!permission.mayWrite()) return undefined;
          const labels = await platform.moveLifecycle(ticket, action.lifecycle, call('label'));
          const shown = lifecyclesOf(labels);
          if (shown.length !== 1 || shown[0] !== projectionOf(run.state)) return later(run, 'the label did not stick');
          return await close(run, ticket, platform, call('comment'), permission);
        }
        case 'confirm':
          return await close(run, ticket, platform, call('comment'), permission);
        case 'doubt':
          return { kind: 'doubt' };
        case 'give-up':
          deps.findings.raise(
            {
              code: 'foreign-lifecycle-labels',
              severity: 'warning',
              text: `Somebody else writes agent-smith:* labels on tickets of project ${run.project}: a second deployment? Give each its own source.`,
            },
            run.project,
          );
          return undefined;
        case 'leave':
        case 'claim':
        case 'take-over':
          return undefined;
      }
    } catch (error) {
      if (!(error instanceof PlatformError)) throw error;
      if (error.kind === 'not-found' && isTerminal(run.state)) {
        return { kind: 'unwritable', reason: 'the platform does not show the ticket any more' };
      }
      return later(run, error.message, error.retryAfterMs);
    }
  };

  /** The label is right; an ended run also says so in its comment, before it counts as confirmed. */
  const close = async (
    run: Run,
    ticket: Ticket,
    platform: TicketPlatform,
    call: Call,
    permission: WritePermission,
  ): Promise<Settlement | undefined> => {
    const comment = closingComment(run);
    if (comment === undefined) return { kind: 'confirmed' };
    if (!permission.mayWrite()) return undefined;
    try {
      await platform.comment(ticket.id, comment, call);
    } catch (error) {
      if (!(error instanceof PlatformError)) throw error;
      if (error.kind === 'unavailable' || error.kind === 'rate-limited') {
        return later(run, error.message, error.retryAfterMs);
      }
      // A comment that is refused for good must not hold up the label, which is right.
      log.warn({ ...factsOf(run), error: error.message }, 'closing comment refused');
    }
    return { kind: 'confirmed' };
  };

  /** Due again after a pause that grows with the time the label has been wrong; refused for a day: unwritable. */
  const later = (run: Run, reason: string, retryAfterMs = 0): Settlement => {
    const ageMs = Math.max(0, Date.now() - run.sinceMs);
    if (ageMs > options.labelGiveUpMs && isTerminal(run.state)) return { kind: 'unwritable', reason };
    const pauseMs = Math.min(Math.max(ageMs / 2, options.projectionScanMs), options.attemptRetryMaxMs);
    return { kind: 'retry', reason, afterMs: Math.max(pauseMs, retryAfterMs) };
  };

  return {
    project(runId, permission) {
      const current = working.get(runId);
      if (current !== undefined) {
        current.again = true;
        return current.done;
      }
      const entry = { again: false, done: Promise.resolve() };
      entry.done = (async () => {
        try {
          for (let rounds = 0; rounds < MOST_ROUNDS; rounds += 1) {
            entry.again = false;
            if (!(await round(runId, permission)) && !entry.again) break;
          }
        } catch (error) {
          log.warn({ run: runId, error: messageOf(error) }, 'label not written, it stays due');
        } finally {
          working.delete(runId);
        }
      })();
      working.set(runId, entry);
      return entry.done;
    },
    async idle() {
      await Promise.all([...working.values()].map(({ done }) => done));
    },
  };
}

function factsOf(run: Run): object {
  return { ticket: run.ticket, run: run.id, project: run.project, state: run.state };
}
