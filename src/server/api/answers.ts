/** Records as the API shows them: snake_case, times as ISO texts, what is not known left out. No payload and no ticket text. */
import { adviceOn } from '../../claims/claim-advice.ts';
import type { ClaimOutcome } from '../../claims/claim-outcome.ts';
import type { Delivery } from '../../domain/delivery.ts';
import { type AttemptRecord, projectionOf, type Run } from '../../domain/run.ts';
import type { RunResult } from '../../domain/run-result.ts';
import type { DatedDecision } from '../../runs/decision-log.ts';
import type { Page } from '../../runs/page.ts';
import type { WaitView } from '../../runs/waiting.ts';
import { cursorText } from './questions.ts';

/** Redis TIME in ms as an ISO text. */
function utc(atMs: number): string;
function utc(atMs: number | undefined): string | undefined;
function utc(atMs: number | undefined): string | undefined {
  return atMs === undefined ? undefined : new Date(atMs).toISOString();
}

export function pageBody<T>(name: string, { items, next }: Page<T>, show: (item: T) => object): object {
  return { [name]: items.map(show), next: next === undefined ? undefined : cursorText(next) };
}

export function deliveryBody(delivery: Delivery): object {
  const { place, placeId } = delivery;
  return {
    name: delivery.name,
    id: delivery.id,
    derived: delivery.derived,
    platform: delivery.platform,
    source: delivery.source,
    event: delivery.event,
    action: delivery.action,
    installation: delivery.installation,
    repository: place === undefined && placeId === undefined ? undefined : { id: placeId, name: place },
    received_utc: utc(delivery.receivedAtMs),
    payload_hash: delivery.payloadHash,
    routing: { projects: delivery.projects, tickets: delivery.tickets, config_hash: delivery.configHash },
    state: delivery.state,
    reason: delivery.reason,
    tries: delivery.tries,
    duplicates: delivery.duplicates,
    results: delivery.results,
    settled_utc: utc(delivery.settledAtMs),
  };
}

/** A run in short, as in lists. */
export function runBody(run: Run): object {
  return {
    id: run.id,
    project: run.project,
    platform: run.platform,
    ticket: run.ticket,
    ticket_id: run.ticketId,
    display: run.display,
    url: run.url,
    trigger: run.trigger,
    label: run.label,
    pipeline: run.pipeline,
    state: run.state,
    since_utc: utc(run.sinceMs),
    reason: run.reason,
    turn: run.turn,
    attempt: run.attempt,
    interrupted: run.interrupted,
    handed_on: run.handedOn,
    worker: run.worker,
    delivery: run.delivery,
    cancel_requested: run.cancelRequested,
    created_utc: utc(run.createdAtMs),
    queued_utc: utc(run.queuedAtMs),
    admitted_utc: run.admittedAtMs === 0 ? undefined : utc(run.admittedAtMs),
    started_utc: utc(run.startedAtMs),
    ended_utc: utc(run.endedAtMs),
  };
}

export interface RunHistory {
  readonly attempts: readonly AttemptRecord[];
  /** Of a run in the backlog of its project. */
  readonly waits: WaitView | undefined;
  readonly decisions: readonly DatedDecision[];
  /** The delivery that asked for it, as far as it is still on record. */
  readonly delivery: Delivery | undefined;
  /** What it says came of it; undefined when it said nothing. */
  readonly result: RunResult | undefined;
  /** Undefined when it was not asked for. */
  readonly output: string | undefined;
}

export function wholeRunBody(run: Run, { attempts, waits, decisions, delivery, result, output }: RunHistory): object {
  return {
    ...runBody(run),
    result,
    policy: run.policy === undefined ? undefined : (JSON.parse(run.policy) as unknown),
    lifecycle_label: {
      asked: projectionOf(run.state),
      state: run.labelState,
      reason: run.labelReason,
      doubts: run.labelDoubts,
      confirmed_utc: utc(run.confirmedAtMs),
      refused_since_utc: utc(run.labelRefusedMs),
    },
    waits,
    attempts: attempts.map(attemptBody),
    decisions: decisions.map(decisionBody),
    deliveries: delivery === undefined ? [] : [deliveryBody(delivery)],
    output,
  };
}

function attemptBody({ number, worker, startedAtMs, end }: AttemptRecord): object {
  const ended = end === undefined ? {} : { ended_utc: utc(end.atMs), how: end.how, reason: end.reason };
  return { number, worker, started_utc: utc(startedAtMs), ...ended };
}

function decisionBody({ atMs, by, outcome, project, trigger, detail, run }: DatedDecision): object {
  return { at_utc: utc(atMs), by, outcome, project, trigger, detail, run };
}

/** Every outcome in one shape: its kind, the reason in one word, and what has to happen before the ticket is claimed. */
export function outcomeBody(outcome: ClaimOutcome): object {
  if (outcome.kind === 'claimed') return outcome;
  const advice = adviceOn(outcome);
  if (outcome.kind !== 'failed') return { ...outcome, advice };
  const { kind, failure, detail } = outcome;
  return { kind, reason: failure, detail, advice };
}
