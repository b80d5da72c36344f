/**
 * What every platform can do for us: the whole contract, at most nine members. A capability that a platform lacks is
 * declared in `capabilities` and its operation refuses with `unsupported`; nothing has an empty default.
 */
import type { Lifecycle } from '../domain/lifecycle.ts';
import type { PlatformSlug, Ticket } from '../domain/ticket.ts';

/** Why a call is made: shown in metrics, and what the API budget ranks by. */
export type CallPurpose =
  | 'discovery'
  | 'catchup'
  | 'claim'
  | 'attempt'
  | 'label'
  | 'comment'
  | 'repair'
  | 'setup'
  /** A person asks: `doctor`, `explain`, `plan`. */
  | 'inspect';

export interface Call {
  readonly purpose: CallPurpose;
  /** The one deadline of the whole operation, all of its HTTP requests and bodies included. */
  readonly deadlineMs: number;
  /** Aborts the HTTP request on the wire. */
  readonly signal: AbortSignal;
  /** Called for each HTTP request that is sent. Must not throw. */
  readonly onRequest?: () => void;
}

/** Tickets that carry any of the labels. An empty list of labels is a programming error and throws. */
export interface TicketQuery {
  readonly labels: readonly string[];
  /** `open` in the platform's sense (Azure DevOps: the configured open states). */
  readonly state: 'open' | 'all';
}

export interface TicketPage {
  readonly tickets: readonly Ticket[];
  /** Hand this back to go on; undefined at the end. Opaque, valid in this process only. */
  readonly next?: string;
}

export interface Capabilities {
  /** Can say who set a label last. Without it a project with `allowed_actors` refuses every ticket. */
  readonly labelActors: boolean;
  /** In which states catchup looks for `agent-smith:pending` here: DESIGN 4.1 says so for each platform. */
  readonly catchupState: TicketQuery['state'];
}

export interface MarkedComment {
  readonly markdown: string;
  /** Hidden at its end: how it is found again. */
  readonly marker: string;
  /** Wall-clock ms before which it cannot have been posted, so that a long thread need not be read; all of it if absent. */
  readonly sinceMs?: number;
}

/** The rights that the work needs, in the order in which one needs the other. */
export const ACCESS_RIGHTS = ['sign-in', 'read-tickets', 'write-labels', 'comment'] as const;

export type AccessRight = (typeof ACCESS_RIGHTS)[number];

/** What a platform says about one right of our credential, without anything being written. */
export interface AccessFact {
  readonly right: AccessRight;
  /** `unknown` where the platform does not tell before one tries. */
  readonly granted: 'yes' | 'no' | 'unknown';
  /** What was seen: `signed in as smith-bot`, `access level 20 (Reporter)`. Never a credential. */
  readonly evidence: string;
  /** What a person should do; only when it is not granted. */
  readonly advice?: string;
}

export interface TicketPlatform {
  readonly slug: PlatformSlug;
  readonly capabilities: Capabilities;
  /** One page of a listing. Bodies of tickets may be missing here (empty text). */
  listTickets(query: TicketQuery, cursor: string | undefined, call: Call): Promise<TicketPage>;
  /**
   * The ticket itself, never from a list or an index, by its id or by the name that people use (Jira: `ABC-7`). A deleted,
   * invisible or wrong-container one is a `not-found` error; one that was moved within its container says so in `scope`.
   */
  readTicket(id: string, call: Call): Promise<Ticket>;
  /**
   * Makes `to` the only lifecycle label (undefined: removes them all), adding before removing, and reads back.
   * People's labels are never touched. Returns the labels that the platform shows afterwards: a verdict that somebody has
   * put there since `ticket` was read may be among them.
   * An error whose `effect` is `none` means that the very first write was refused.
   */
  moveLifecycle(ticket: Ticket, to: Lifecycle | undefined, call: Call): Promise<readonly string[]>;
  /** Creates the lifecycle labels with their colours where they are missing; does nothing where labels need no creation. */
  ensureLifecycleLabels(call: Call): Promise<void>;
  /** Posts a comment unless one with this marker is there already. `markdown` is ours; untrusted text in it is fenced. */
  comment(id: string, comment: MarkedComment, call: Call): Promise<void>;
  /** Login of whoever set the label last; of a lifecycle label whoever but us, unless only we ever did. */
  labelActor(id: string, label: string, call: Call): Promise<string | undefined>;
  /**
   * What the credential may do here, asked without writing. Facts in the order of `ACCESS_RIGHTS`, each right once; after
   * a `no` for `sign-in` the others may be missing. A credential that is refused is a fact, not an error.
   * @throws PlatformError when the platform cannot be asked (unavailable, rate-limited, no API there).
   */
  checkAccess(call: Call): Promise<readonly AccessFact[]>;
}

export const PLATFORM_ERROR_KINDS = [
  'auth',
  'not-found',
  'rate-limited',
  'conflict',
  'invalid-response',
  'unavailable',
  'unsupported',
] as const;

export type PlatformErrorKind = (typeof PLATFORM_ERROR_KINDS)[number];

export interface PlatformErrorFacts {
  /** HTTP status, when there was an answer. */
  readonly status?: number;
  /** How long the platform asked to wait, in ms. */
  readonly retryAfterMs?: number;
  /**
   * What the operation may have changed: `none` = the platform refused its first write (or it never wrote),
   * `unknown` = anything may have happened (timeout, 5xx, cut connection, half done).
   */
  readonly effect?: 'none' | 'unknown';
  readonly cause?: unknown;
}

/** A call to a platform that did not succeed. The message names the operation and never holds a credential. */
export class PlatformError extends Error {
  readonly kind: PlatformErrorKind;
  readonly status: number | undefined;
  readonly retryAfterMs: number | undefined;
  readonly effect: 'none' | 'unknown';

  constructor(kind: PlatformErrorKind, message: string, facts: PlatformErrorFacts = {}) {
    super(message, { cause: facts.cause });
    this.name = 'PlatformError';
    this.kind = kind;
    this.status = facts.status;
    this.retryAfterMs = facts.retryAfterMs;
    this.effect = facts.effect ?? 'unknown';
  }
}
