/** A run: one decision to work on a ticket. */
import { unreachable } from '../foundation/errors.ts';
import type { DeliveryName } from './delivery.ts';
import type { Lifecycle } from './lifecycle.ts';
import type { Trigger } from './project.ts';
import type { TicketKey } from './ticket.ts';

export const RUN_STATES = ['received', 'queued', 'running', 'completed', 'failed', 'cancelled'] as const;

/** received -> queued -> running -> completed / failed / cancelled; running -> queued only by hand-back. */
export type RunState = (typeof RUN_STATES)[number];

/** What is known of a run's label: `unconfirmed` is ours to repair, `confirmed` has been read back, `unwritable` is explained. */
export type LabelState = 'unconfirmed' | 'confirmed' | 'unwritable';

/** The run as its record shows it. Times are Redis TIME in ms. */
export interface Run {
  readonly id: string;
  readonly ticket: TicketKey;
  /** The platform's id of the ticket, its name and page for people: what is needed to address it again. */
  readonly ticketId: string;
  readonly display: string;
  readonly url: string;
  readonly project: string;
  readonly platform: string;
  readonly trigger: Trigger;
  readonly state: RunState;
  /** Fence of the claim. */
  readonly fence: number;
  /** Counts how often the run was queued. */
  readonly turn: number;
  readonly pipeline?: string;
  /** The trigger label that started it; undefined when `agent-smith:pending` did. */
  readonly label?: string;
  readonly policy?: string;
  /** Number and fence of the latest attempt; 0 before the first. */
  readonly attempt: number;
  readonly attemptFence: number;
  readonly worker?: string;
  /** Attempts that died, were drained or lost trust: they do not count towards `max_attempts`. */
  readonly interrupted: number;
  /** Attempts whose worker shut down and let go of work that goes on without it: they count for nothing. Missing: none. */
  readonly handedOn?: number;
  /** Jobs taken without a start since the last turn. */
  readonly takes: number;
  readonly labelState: LabelState;
  /** How often a confirmed label was found contradicted by somebody else's lifecycle label. */
  readonly labelDoubts: number;
  /** Why the label could not be written, and since when the platform has refused it. */
  readonly labelReason?: string;
  readonly labelRefusedMs?: number;
  readonly reason?: string;
  readonly cancelRequested?: string;
  /** The delivery that asked for it, and when that was received. */
  readonly delivery?: DeliveryName;
  readonly deliveredAtMs?: number;
  readonly createdAtMs: number;
  /** How long the poll that found the ticket had been under way then. */
  readonly foundMs?: number;
  readonly queuedAtMs?: number;
  /** 0 while it waits in the backlog. Missing of a run that was queued by a version which admitted every run at once. */
  readonly admittedAtMs?: number;
  /** When it is back in its backlog, after its last start that was put off. */
  readonly backAtMs?: number;
  readonly startedAtMs?: number;
  readonly endedAtMs?: number;
  /** Since when the run is in its state. */
  readonly sinceMs: number;
  readonly confirmedAtMs?: number;
}

/**
 * How an attempt ended: as its run did; interrupted, because its worker died, drained or lost trust; handed on, because its
 * worker drained and its work goes on without it; or superseded by a later one, when Redis has lost how. `failed` with another
 * attempt after it: the runner could not be started.
 */
export type AttemptEnding =
  | Extract<RunState, 'completed' | 'failed' | 'cancelled'>
  | 'interrupted'
  | 'handed-on'
  | 'superseded';

/** One attempt of a run, as the run's record shows it. Times are Redis TIME in ms. */
export interface AttemptRecord {
  /** 1, 2, ... */
  readonly number: number;
  readonly worker: string;
  readonly startedAtMs: number;
  /** Missing while it is at work. */
  readonly end?: { readonly atMs: number; readonly how: AttemptEnding; readonly reason: string };
}

/** Interrupted attempts do not count towards `max_attempts`; a run that is interrupted this often is given up. */
export const MOST_INTERRUPTED = 20;

/** The attempts that count towards `max_attempts`. */
export function countedAttempts({ attempt, interrupted, handedOn = 0 }: AttemptCounts): number {
  return attempt - interrupted - handedOn;
}

/** Whether an attempt of this run has ended without knowing what became of its work, which may go on without a worker. */
export function mayHaveLeftWork({ interrupted, handedOn = 0 }: AttemptCounts): boolean {
  return interrupted + handedOn > 0;
}

type AttemptCounts = Pick<Run, 'attempt' | 'interrupted' | 'handedOn'>;

/** The label that a run's state asks for; undefined means hands off. */
export function projectionOf(state: RunState): Lifecycle | undefined {
  switch (state) {
    case 'received':
      return undefined;
    case 'queued':
      return 'enqueued';
    case 'running':
      return 'in-progress';
    case 'completed':
      return 'done';
    case 'failed':
    case 'cancelled':
      return 'failed';
    default:
      return unreachable(state);
  }
}

/** Why a run ended that somebody wanted to end. @param by a word for people */
export function cancelReason(by: string): string {
  return `cancelled by ${by}`;
}

/** Whether a queued run waits in the backlog of its project. */
export function isWaiting({ state, admittedAtMs }: Pick<Run, 'state' | 'admittedAtMs'>): boolean {
  return state === 'queued' && admittedAtMs === 0;
}

export function isTerminal(state: RunState): state is 'completed' | 'failed' | 'cancelled' {
  return state === 'completed' || state === 'failed' || state === 'cancelled';
}
