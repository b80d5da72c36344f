/**
 * What really happened at an emulator: every request, every label change, every comment, in one order. Tests and the
 * demo draw their conclusions from here and never from our own counters.
 *
 * Label changes and comments are kept for good, they are the evidence. Requests can be millions, so only the latest are
 * kept beside running totals. A token is known by its id; its text never gets in.
 */
import { setMaxListeners } from 'node:events';

/** Who changed something: a token through the API, or a person through the emulator's own surface. */
export type Actor =
  | { readonly kind: 'token'; readonly id: string; readonly login: string }
  | { readonly kind: 'person'; readonly login: string };

/**
 * How an exchange ended for the client: `answered` in full, `cut` by us before or inside the answer, `abandoned` because
 * the client went away (or the emulator closed) before we answered.
 */
export type Outcome = 'answered' | 'cut' | 'abandoned';

export interface RequestEntry {
  readonly kind: 'request';
  readonly seq: number;
  /** Wall clock at the arrival; entries are in the order of their ends. */
  readonly atMs: number;
  readonly durationMs: number;
  readonly method: string;
  /** With the query. */
  readonly path: string;
  /** The platform's name of the operation, for example `issues/add-labels`; undefined for an unknown path. */
  readonly operation: string | undefined;
  /** Id of the token; undefined when none or a wrong one was sent. */
  readonly token: string | undefined;
  /** Status that was sent, or would have been sent in a cut answer; undefined when there was no answer to send. */
  readonly status: number | undefined;
  readonly outcome: Outcome;
  /** Kind of the injected fault that was played. */
  readonly fault: string | undefined;
  /** Those of `NOTED_HEADERS` that the request carried. */
  readonly headers: Readonly<Record<string, string>>;
}

export interface LabelEntry {
  readonly kind: 'label';
  readonly seq: number;
  readonly atMs: number;
  /** As the platform shows it to people, for example `org/repo#7`. */
  readonly ticket: string;
  readonly added: readonly string[];
  readonly removed: readonly string[];
  /** All labels of the ticket afterwards. */
  readonly labels: readonly string[];
  readonly by: Actor;
}

export interface CommentEntry {
  readonly kind: 'comment';
  readonly seq: number;
  readonly atMs: number;
  readonly ticket: string;
  readonly body: string;
  readonly by: Actor;
}

export type LedgerEntry = RequestEntry | LabelEntry | CommentEntry;

/** Request headers that tests ask about: preconditions and cache validators. */
export const NOTED_HEADERS = ['if-match', 'if-none-match', 'if-modified-since', 'if-unmodified-since'] as const;

/** All given fields must match. */
export interface RequestFilter {
  readonly method?: string;
  readonly path?: RegExp;
  readonly operation?: string;
  readonly token?: string;
  readonly status?: number;
  readonly outcome?: Outcome;
}

/** Running totals since the start; they do not forget what fell out of the request log. */
export interface RequestTotals {
  readonly requests: number;
  /** By status code; what had no answer to send counts under 0. */
  readonly byStatus: ReadonlyMap<number, number>;
  readonly byOperation: ReadonlyMap<string, number>;
}

type Unnumbered<E> = Omit<E, 'kind' | 'seq'>;

export interface Ledger {
  recordRequest(entry: Unnumbered<RequestEntry>): void;
  recordLabels(entry: Unnumbered<LabelEntry>): void;
  recordComment(entry: Unnumbered<CommentEntry>): void;

  /** The retained requests that match, oldest first. */
  requests(filter?: RequestFilter): RequestEntry[];
  totals(): RequestTotals;
  /** Label changes, oldest first; of one ticket (any letter case) or of all. */
  labelChanges(ticket?: string): LabelEntry[];
  /** The lifecycles that a ticket was given, in order and without the prefix, for example `enqueued, in-progress, done`. */
  lifecycleHistory(ticket: string): string[];
  comments(ticket?: string): CommentEntry[];

  /**
   * Resolves with the first entry that satisfies the predicate, past (and still retained) or future.
   * Rejects with the signal's reason when that aborts first.
   */
  waitFor(predicate: (entry: LedgerEntry) => boolean, options?: { signal?: AbortSignal }): Promise<LedgerEntry>;
  /** Calls the listener for each further entry; returns how to stop it. */
  subscribe(listener: (entry: LedgerEntry) => void): () => void;
}

export interface LedgerOptions {
  /** How many requests are retained. Default 20,000. */
  readonly retainedRequests?: number;
  /** What lifecycle labels begin with. Default `agent-smith:`. */
  readonly lifecyclePrefix?: string;
}

export function createLedger(options: LedgerOptions = {}): Ledger {
  const retained = options.retainedRequests ?? 20_000;
  const prefix = (options.lifecyclePrefix ?? 'agent-smith:').toLowerCase();
  const requests: RequestEntry[] = [];
  const labels: LabelEntry[] = [];
  const comments: CommentEntry[] = [];
  const labelsByTicket = new Map<string, LabelEntry[]>();
  const byStatus = new Map<number, number>();
  const byOperation = new Map<string, number>();
  const listeners = new Set<(entry: LedgerEntry) => void>();
  let total = 0;
  let lastSeq = 0;

  const nextSeq = (): number => (lastSeq += 1);
  const announce = (entry: LedgerEntry): void => {
    for (const listener of listeners) listener(entry);
  };
  const labelChanges = (ticket?: string): LabelEntry[] =>
    ticket === undefined ? [...labels] : [...(labelsByTicket.get(ticket.toLowerCase()) ?? [])];
  const subscribe = (listener: (entry: LedgerEntry) => void): (() => void) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  };

  return {
    recordRequest(fields) {
      const entry: RequestEntry = { kind: 'request', seq: nextSeq(), ...fields };
      requests.push(entry);
      // Dropped in bulk: shifting an array for every request would cost as much as the request itself.
      if (requests.length >= 2 * retained) requests.splice(0, requests.length - retained);
      total += 1;
      count(byStatus, entry.status ?? 0);
      count(byOperation, entry.operation ?? 'unknown');
      announce(entry);
    },
    recordLabels(fields) {
      const entry: LabelEntry = { kind: 'label', seq: nextSeq(), ...fields };
      labels.push(entry);
      const key = entry.ticket.toLowerCase();
      const ofTicket = labelsByTicket.get(key);
      if (ofTicket === undefined) labelsByTicket.set(key, [entry]);
      else ofTicket.push(entry);
      announce(entry);
    },
    recordComment(fields) {
      const entry: CommentEntry = { kind: 'comment', seq: nextSeq(), ...fields };
      comments.push(entry);
      announce(entry);
    },

    requests: (filter = {}) => requests.slice(-retained).filter((entry) => matches(entry, filter)),
    totals: () => ({ requests: total, byStatus: new Map(byStatus), byOperation: new Map(byOperation) }),
    labelChanges,
    lifecycleHistory: (ticket) =>
      labelChanges(ticket)
        .flatMap((change) => change.added)
        .filter((label) => label.toLowerCase().startsWith(prefix))
        .map((label) => label.slice(prefix.length).toLowerCase()),
    comments: (ticket) =>
      ticket === undefined ? [...comments] : comments.filter((entry) => sameTicket(entry.ticket, ticket)),

    async waitFor(predicate, { signal } = {}) {
      const past = [...requests, ...labels, ...comments].filter(predicate).sort((a, b) => a.seq - b.seq)[0];
      return past ?? nextEntry(subscribe, predicate, signal);
    },
    subscribe,
  };
}

function nextEntry(
  subscribe: Ledger['subscribe'],
  predicate: (entry: LedgerEntry) => boolean,
  signal: AbortSignal | undefined,
): Promise<LedgerEntry> {
  return new Promise((resolve, reject) => {
    const settle = (finish: () => void): void => {
      unsubscribe();
      signal?.removeEventListener('abort', onAbort);
      finish();
    };
    const onAbort = (): void => settle(() => reject(signal?.reason as Error));
    const unsubscribe = subscribe((entry) => {
      try {
        if (predicate(entry)) settle(() => resolve(entry));
      } catch (error) {
        // A predicate that throws is the waiting test's failure, not the exchange's that made the entry.
        settle(() => reject(error));
      }
    });
    if (signal === undefined) return;
    // One test signal serves many waits at once.
    setMaxListeners(0, signal);
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
  });
}

function matches(entry: RequestEntry, filter: RequestFilter): boolean {
  return (
    (filter.method === undefined || entry.method === filter.method.toUpperCase()) &&
    (filter.path === undefined || entry.path.search(filter.path) >= 0) &&
    (filter.operation === undefined || entry.operation === filter.operation) &&
    (filter.token === undefined || entry.token === filter.token) &&
    (filter.status === undefined || entry.status === filter.status) &&
    (filter.outcome === undefined || entry.outcome === filter.outcome)
  );
}

function sameTicket(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}

function count<K>(counts: Map<K, number>, key: K): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
