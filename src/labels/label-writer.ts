/**
 * The only way a run's lifecycle label reaches its ticket after the claim (PROTOCOL 5). The worker calls it at each
 * transition, the projection loop for whatever is still unconfirmed; both may do so at any time, as often as they like.
 *
 *   read record -> read ticket -> table -> write -> read back -> settle, if the record is still in that state
 *                      ^                                            |
 *                      +------------- moved on: newest state only --+
 *
 * Only the ticket's current run has a label. Within one process the calls for one run follow each other, each under its
 * own permission; between processes the table and the read-back bring the last writer to the newest state.
 *
 * What a crash at any step leaves behind: an unconfirmed label that the projection loop finds due.
 */
import { contradicts, decideLabel } from '../domain/label-table.ts';
import { lifecyclesOf } from '../domain/lifecycle.ts';
import type { Catalog, Project } from '../domain/project.ts';
import { projectOfRun } from '../domain/routing.ts';
import { isTerminal, projectionOf, type Run } from '../domain/run.ts';
import { labelStep, step, wholeWay } from '../domain/run-spans.ts';
import type { Ticket } from '../domain/ticket.ts';
import { elapsedMs, now } from '../foundation/clock.ts';
import { messageOf, unreachable } from '../foundation/errors.ts';
import type { Findings } from '../foundation/findings.ts';
import type { Log } from '../foundation/log.ts';
import { NO_TRACE, type Trace, traced } from '../foundation/trace.ts';
import { type Call, PlatformError, type TicketPlatform } from '../platforms/contract.ts';
import type { DecisionLog } from '../runs/decision-log.ts';
import type { LabelRecords, Settled, Settlement } from '../runs/label-records.ts';
import type { RunReader } from '../runs/run-reader.ts';
import { closingComment } from './closing-comment.ts';

export interface LabelWriter {
  /**
   * Brings the label of a run to what its record says. Never throws; what could not be done is due again later.
   * Always reads the record after the call, so a state that is reached before it is never missed.
   */
  project(run: string, permission: WritePermission): Promise<void>;
  /** Resolves when no label is being written any more. */
  idle(): Promise<void>;
}

export interface WritePermission {
  /** Asked on the line before each write; must leave more time than one call may take. */
  readonly mayWrite: () => boolean;
  readonly signal: AbortSignal;
}

export interface LabelWriterDeps {
  readonly catalog: () => Catalog;
  readonly platformOf: (project: Project) => TicketPlatform | undefined;
  readonly runs: Pick<RunReader, 'get' | 'isCurrent' | 'result'>;
  readonly records: Pick<LabelRecords, 'settle' | 'forget'>;
  readonly decisions: Pick<DecisionLog, 'record'>;
  readonly findings: Findings;
  readonly log: Log;
  /** The label of the run's state has been read back for the first time. */
  readonly onConfirmed?: (run: Run) => void;
  /** Somebody else has overwritten a label that had been read back (`contradicts`). */
  readonly onContradicted?: (run: Run) => void;
  /** Default: nobody collects. */
  readonly trace?: Trace;
}

export interface LabelWriterOptions {
  readonly claimCallMs: number;
  /** How long people are told of somebody else's labels after the last one. */
  readonly foreignLabelsMs: number;
}

/** A run that changes state this often while we write is somebody else's turn: the loop comes back to it. */
const MOST_ROUNDS = 5;

/** How many deadlines of a call a record is believed for. */
const RECORD_BELIEVED_CALLS = 2;

export function createLabelWriter(deps: LabelWriterDeps, options: LabelWriterOptions): LabelWriter {
  const { records, log, trace = NO_TRACE } = deps;
  /** The last call for each run that is at work or waits for the one before it. */
  const working = new Map<string, Promise<void>>();

  /**
   * A record that was read longer ago is not believed any more. It is compared on the line before each write, so that
   * after a long pause nothing is written that was right before it; the read of the ticket and the move come in between.
   */
  const whileFresh = (permission: WritePermission): WritePermission => {
    const readAt = now();
    const fresh = (): boolean => elapsedMs(readAt) < RECORD_BELIEVED_CALLS * options.claimCallMs;
    return { ...permission, mayWrite: () => permission.mayWrite() && fresh() };
  };

  /** One round; true when the run has moved on, or its label became ours to repair, and it wants another. */
  const round = async (runId: string, permission: WritePermission): Promise<boolean> => {
    const believed = whileFresh(permission);
    const run = await deps.runs.get(runId);
    if (run === undefined || !(await deps.runs.isCurrent(run))) {
      await records.forget(runId);
      return false;
    }
    if (projectionOf(run.state) === undefined) return false;
    const settlement = await bring(run, believed);
    if (settlement === undefined) return false;
    const settled = await records.settle(run, settlement);
    await tell(run, settlement, settled);
    return settled.kind === 'moved-on' || settlement.kind === 'doubt';
  };

  /**
   * Lays record and ticket side by side and writes what is missing. Undefined when there is nothing to note: nothing to
   * do, not allowed to, or nothing learnt.
   */
  const bring = async (run: Run, permission: WritePermission): Promise<Settlement | undefined> => {
    const project = projectOfRun(deps.catalog(), run);
    const platform = project === undefined ? undefined : deps.platformOf(project);
    try {
      if (platform === undefined) {
        throw new PlatformError('unavailable', `project ${run.project} is not connected`, { effect: 'none' });
      }
      return await write(run, platform, permission);
    } catch (error) {
      if (!(error instanceof PlatformError)) throw error;
      // We broke off ourselves.
      if (permission.signal.aborted) return undefined;
      const settledBefore = isTerminal(run.state) && run.labelState !== 'unconfirmed';
      // It was only looked at, and may show a person's wish by now: not ours to repair because of a failed look.
      if (settledBefore) return undefined;
      if (error.kind === 'not-found' && isTerminal(run.state)) {
        return { kind: 'unwritable', reason: 'the platform does not show the ticket any more' };
      }
      return { kind: 'refused', reason: error.message, retryAfterMs: error.retryAfterMs };
    }
  };

  const write = async (
    run: Run,
    platform: TicketPlatform,
    permission: WritePermission,
  ): Promise<Settlement | undefined> => {
    const call = (purpose: Call['purpose']): Call => ({
      purpose,
      deadlineMs: options.claimCallMs,
      signal: permission.signal,
    });
    const ticket = await platform.readTicket(run.ticketId, call('label'));
    const action = decideLabel({ run, labels: ticket.labels, locked: false });
    if (contradicts({ run, labels: ticket.labels })) deps.onContradicted?.(run);
    switch (action.kind) {
      case 'write': {
        const facts = labelStep(run.id, lifecyclesOf(ticket.labels), action.lifecycle);
        const move = () => platform.moveLifecycle(ticket, action.lifecycle, call('label'));
        if (!permission.mayWrite()) return undefined;
        const shown = lifecyclesOf(await traced(trace, facts, move));
        if (String(shown) !== action.lifecycle) return { kind: 'refused', reason: 'the label did not stick' };
        return await close(run, ticket, platform, call('comment'), permission);
      }
      case 'confirm':
        return await close(run, ticket, platform, call('comment'), permission);
      case 'doubt':
        return { kind: 'doubt' };
      case 'give-up':
        await accuse(run);
        return undefined;
      case 'leave':
      case 'claim':
      case 'take-over':
        return undefined;
      default:
        return unreachable(action);
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
    const comment = isTerminal(run.state) ? closingComment(run, await deps.runs.result(run.id)) : undefined;
    if (comment === undefined) return { kind: 'confirmed' };
    if (!permission.mayWrite()) return undefined;
    try {
      await traced(trace, step(run.id, 'comment', { kind: 'client' }), () =>
        platform.comment(ticket.id, comment, call),
      );
    } catch (error) {
      if (!(error instanceof PlatformError)) throw error;
      if (error.kind === 'unavailable' || error.kind === 'rate-limited') throw error;
      // A comment that is refused for good must not hold up the label, which is right.
      log.warn({ ...factsOf(run), error: error.message }, 'closing comment refused');
    }
    return { kind: 'confirmed' };
  };

  const tell = async (run: Run, settlement: Settlement, settled: Settled): Promise<void> => {
    if (settled.kind === 'moved-on') return;
    if (settled.labelState !== 'unconfirmed' && isNewlyOver(run)) wholeWay(run, trace.nowMs()).forEach(trace.tell);
    if (settlement.kind === 'confirmed') deps.onConfirmed?.(run);
    if (settlement.kind === 'doubt')
      log.warn({ ...factsOf(run), doubts: settled.doubts }, 'confirmed label overwritten');
    if (settled.labelState === 'unwritable' && 'reason' in settlement) {
      log.warn({ ...factsOf(run), reason: settlement.reason }, 'label unwritable');
      await decide(run, 'label unwritable', settlement.reason);
    }
  };

  const accuse = async (run: Run): Promise<void> => {
    const text = `Somebody else writes agent-smith:* labels on tickets of project ${run.project}: a second deployment? Give each its own source.`;
    deps.findings.raise(
      { code: 'foreign-lifecycle-labels', severity: 'warning', text },
      run.project,
      options.foreignLabelsMs,
    );
    await decide(run, 'label left alone', `overwritten ${run.labelDoubts} times by somebody else`);
  };

  const decide = async (run: Run, outcome: string, detail: string): Promise<void> => {
    await deps.decisions
      .record({ ticket: run.ticket, project: run.project, by: 'label', run: run.id, outcome, detail })
      .catch((error: unknown) => log.debug({ ...factsOf(run), error: messageOf(error) }, 'decision not recorded'));
  };

  const rounds = async (runId: string, permission: WritePermission): Promise<void> => {
    try {
      for (let left = MOST_ROUNDS; left > 0 && (await round(runId, permission)); left -= 1);
    } catch (error) {
      log.warn({ run: runId, error: messageOf(error) }, 'label not written, it stays due');
    }
  };

  return {
    async project(runId, permission) {
      const before = working.get(runId) ?? Promise.resolve();
      const mine = before.then(() => rounds(runId, permission));
      working.set(runId, mine);
      await mine;
      if (working.get(runId) === mine) working.delete(runId);
    },
    async idle() {
      await Promise.all(working.values());
    },
  };
}

/** Whether the label of its end has never been read back before. */
function isNewlyOver({ state, sinceMs, confirmedAtMs = 0 }: Run): boolean {
  return isTerminal(state) && confirmedAtMs < sinceMs;
}

function factsOf(run: Run): object {
  return { ticket: run.ticket, run: run.id, project: run.project, state: run.state };
}
