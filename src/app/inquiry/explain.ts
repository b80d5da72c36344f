/**
 * Why a ticket was claimed, or why it was not: the gates of a claim as they stand now, what is on record of its run, what
 * was decided before, what the last poll saw, and what happens next. Nothing is written anywhere.
 */
import { adviceOn } from '../../claims/claim-advice.ts';
import type { ClaimForesight, Foreseen, ForeseenOutcome } from '../../claims/claim-foresight.ts';
import { decidingLabel } from '../../claims/claim-gates.ts';
import { explainGates, explainOutcome, type GateView } from '../../claims/explain-gates.ts';
import { isTicketId } from '../../claims/resolve-ticket.ts';
import type { PollSummary } from '../../coordination/poll-board.ts';
import type { Catalog, Project, Trigger } from '../../domain/project.ts';
import { cancelReason, isTerminal, type Run } from '../../domain/run.ts';
import { sourceKey, ticketKey } from '../../domain/ticket.ts';
import { messageOf, OperationError } from '../../foundation/errors.ts';
import type { DatedDecision } from '../../runs/decision-log.ts';
import type { WaitView } from '../../runs/waiting.ts';
import type { ReadStores } from './read-stores.ts';

export interface Explanation {
  /** The project that was asked about; `decided.project` is the one that would take the ticket. */
  readonly project: string;
  /** Its id; the name that was asked for while that is not known. */
  readonly ticketId: string;
  readonly trigger: Trigger;
  /** As the platform shows it; missing when it was not read. */
  readonly ticket?: {
    readonly display: string;
    readonly url: string;
    readonly labels: readonly string[];
    readonly open: boolean;
  };
  readonly outcome: ForeseenOutcome;
  /** The outcome in one sentence. */
  readonly why: string;
  readonly gates: readonly GateView[];
  readonly decided?: {
    readonly label: string;
    /** Who set it; only known where `allowed_actors` asks for it. */
    readonly by?: string;
    readonly project: string;
    readonly pipeline: string;
    /** How the pipeline runs, before `${}` is expanded. */
    readonly runner?: string;
  };
  /** The ticket's current or last run. */
  readonly run?: Run;
  /** What it waits for in the backlog of its project. */
  readonly waits?: WaitView;
  /** The end of what its last attempt wrote, secrets redacted; only of a run that failed, and as long as it is kept. */
  readonly output?: string;
  /** Newest first. */
  readonly decisions: readonly DatedDecision[];
  readonly polling: PollingView;
  /** What happens next, in one sentence. */
  readonly next: string;
  /** What could not be looked at, and why. */
  readonly unseen: readonly string[];
}

export interface PollingView {
  /** The polled project on the ticket's source that comes first; missing when none is polled. */
  readonly project?: string;
  readonly intervalMs?: number;
  /** The replica that leads the polls; missing when none does, or nobody could be asked. */
  readonly leader?: string;
  readonly last?: PollSummary;
  /** Why the last cycle brought nothing, as far as that was not the ticket's doing. */
  readonly trouble?: string;
}

export interface ExplainDeps {
  readonly catalog: () => Catalog;
  readonly foresight: ClaimForesight;
  /** Undefined without `REDIS_URL`. */
  readonly stores: Pick<ReadStores, 'admissions' | 'runs' | 'decisions' | 'pollBoard' | 'leases'> | undefined;
}

export interface Question {
  readonly project: string;
  /** Its id or the name by which people know it. */
  readonly ticketId: string;
  /** By which way it is looked at; default: the one by which it would come by itself. */
  readonly trigger?: Trigger | undefined;
}

const MOST_DECISIONS = 10;

export async function explain(deps: ExplainDeps, question: Question, signal: AbortSignal): Promise<Explanation> {
  const catalog = deps.catalog();
  const project = catalog.projects.find(({ name }) => name === question.project);
  const neighbours = project === undefined ? [] : onSameSource(catalog, project);
  const trigger = question.trigger ?? automaticTrigger(neighbours);
  const { ticketId } = question;
  const foreseen = await deps.foresight.foresee({ project: question.project, ticketId, trigger }, signal);
  const { outcome, ticket } = foreseen;
  // Of a project that is disabled the platform was not asked; its records can be looked at all the same.
  const id = foreseen.ticketId ?? (isTicketId(ticketId) ? ticketId : undefined);
  const key = project === undefined || id === undefined ? undefined : ticketKey(project.source, id);

  const unseen: string[] = deps.stores === undefined ? ['runs, decisions and polls: REDIS_URL is not set here'] : [];
  const seen = async <T>(what: string, look: (stores: NonNullable<ExplainDeps['stores']>) => Promise<T>) => {
    if (deps.stores === undefined) return undefined;
    try {
      return await look(deps.stores);
    } catch (error) {
      if (!(error instanceof OperationError)) throw error;
      unseen.push(`${what}: ${messageOf(error)}`);
      return undefined;
    }
  };
  const run = key === undefined ? undefined : await seen('its run', ({ runs }) => runs.ofTicket(key));
  const waits =
    run === undefined ? undefined : await seen('its backlog', ({ admissions }) => admissions.whyWaiting(run, catalog));
  const output = run?.state === 'failed' ? await seen('its output', ({ runs }) => runs.output(run.id)) : undefined;
  const decisions =
    key === undefined ? [] : await seen('its decisions', ({ decisions: log }) => log.ofTicket(key, MOST_DECISIONS));
  const polled = neighbours.find(({ polling }) => polling !== undefined);
  const board = await seen('the last poll', async ({ pollBoard, leases }) => ({
    leader: await leases.holder('poller'),
    last: polled === undefined ? undefined : (await pollBoard.read()).get(polled.name),
  }));
  const polling = pollingView(polled, board);

  return {
    project: question.project,
    ticketId: id ?? ticketId,
    trigger,
    ...(ticket === undefined
      ? {}
      : { ticket: { display: ticket.display, url: ticket.url, labels: ticket.labels, open: ticket.open } }),
    outcome,
    why: explainOutcome(outcome),
    gates: explainGates(foreseen),
    ...decided(foreseen),
    ...(run === undefined ? {} : { run }),
    ...(waits === undefined ? {} : { waits }),
    ...(output === undefined || output === '' ? {} : { output }),
    decisions: decisions ?? [],
    polling,
    next: endOf(run) ?? whatNext(outcome, trigger, polling, question),
    unseen,
  };
}

function onSameSource(catalog: Catalog, project: Project): Project[] {
  const source = sourceKey(project.source);
  const others = catalog.projects.filter(
    (other) => other !== project && other.disabled === undefined && sourceKey(other.source) === source,
  );
  return project.disabled === undefined ? [project, ...others] : [];
}

/** The way by which its tickets come by themselves; `poll` where there is none, so that the gate says so. */
function automaticTrigger(projects: readonly Project[]): Trigger {
  const takes = (trigger: Trigger): boolean => projects.some(({ triggers }) => triggers.has(trigger));
  return !takes('poll') && takes('webhook') ? 'webhook' : 'poll';
}

function decided({ routed, actor, pipeline }: Foreseen): Pick<Explanation, 'decided'> {
  if (routed === undefined) return {};
  return {
    decided: {
      label: decidingLabel(routed),
      ...(actor === undefined ? {} : { by: actor }),
      project: routed.project.name,
      pipeline: routed.route.pipeline,
      ...(pipeline === undefined ? {} : { runner: runnerIn(pipeline.policy) }),
    },
  };
}

/** What a policy starts: its command, or the address of its service, as the configuration spells it. */
function runnerIn(policy: string): string {
  const { command, http } = JSON.parse(policy) as {
    readonly command?: unknown;
    readonly http?: { readonly url: string };
  };
  if (http !== undefined) return `POST ${http.url}`;
  return Array.isArray(command) ? command.join(' ') : policy;
}

function pollingView(
  project: Project | undefined,
  board: { readonly leader: string | undefined; readonly last: PollSummary | undefined } | undefined,
): PollingView {
  if (project?.polling === undefined) return { trouble: 'no project on its source is polled' };
  const trouble = board === undefined ? undefined : troubleOf(board.leader, board.last);
  return {
    project: project.name,
    intervalMs: project.polling.intervalMs,
    ...(board?.leader === undefined ? {} : { leader: board.leader }),
    ...(board?.last === undefined ? {} : { last: board.last }),
    ...(trouble === undefined ? {} : { trouble }),
  };
}

/** A poll that claims hundreds of tickets takes its time, and so does a change of the leader. */
const LONG_CYCLE_MS = 120_000;
const LATE_FACTOR = 2;

function troubleOf(leader: string | undefined, last: PollSummary | undefined): string | undefined {
  if (leader === undefined) return 'no replica leads the polls at the moment';
  if (last === undefined) return 'it has not been polled yet, or not for a day';
  const agoMs = Date.now() - last.atMs;
  if (agoMs > LATE_FACTOR * last.effectiveIntervalMs + LONG_CYCLE_MS)
    return `its last poll was ${Math.round(agoMs / 1000)} s ago, though one is due every ${Math.round(last.effectiveIntervalMs / 1000)} s: see the log of ${leader}`;
  if (last.heldBack)
    return 'its credential is held back: the platform asked to wait, or the rest of its budget is kept for work';
  if (last.result !== 'ok') return `its last poll failed (${last.result})`;
  if (last.truncated) return 'its listing is longer than one cycle takes: the ticket may be in a later part';
  return undefined;
}

/** Of a run that somebody wants to end, and that has not ended yet. */
function endOf(run: Run | undefined): string | undefined {
  if (run?.cancelRequested === undefined || isTerminal(run.state)) return undefined;
  return `it ends: ${cancelReason(run.cancelRequested)}`;
}

function whatNext(
  outcome: ForeseenOutcome,
  trigger: Trigger,
  polling: PollingView,
  { project, ticketId }: Question,
): string {
  if (outcome.kind !== 'would-claim') return adviceOn(outcome);
  const byHand = `\`agent-smith claim ${project} ${ticketId}\` claims it at once`;
  switch (trigger) {
    case 'poll':
      return polling.project === undefined ? byHand : nextPoll(polling, polling.project);
    case 'webhook':
      return `claimed when the platform sends the next webhook about it; ${byHand}`;
    case 'manual':
      return byHand;
    case 'reconcile':
      return 'claimed by the next pass of repair';
    default:
      return trigger satisfies never;
  }
}

function nextPoll({ last, leader, intervalMs = 0, trouble }: PollingView, project: string): string {
  const pauseMs = last?.effectiveIntervalMs ?? intervalMs;
  const leftMs = last === undefined || leader === undefined ? pauseMs : Math.max(0, last.atMs + pauseMs - Date.now());
  const when = `claimed in the next poll of ${project}, in about ${Math.ceil(leftMs / 1000)} s`;
  return trouble === undefined ? when : `${when} unless this goes on: ${trouble}`;
}
