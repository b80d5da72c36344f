/**
 * The HTTP requests of one operation: the `fetch` that a client library gets. What comes back from it is a usable
 * answer; everything else is thrown as an error that names the operation, has a kind, and knows what may have happened.
 *
 * Redirects are followed here, because `fetch` itself would turn a write into a read and carry a private header to
 * another host.
 */
import type { z } from 'zod';
import { elapsedMs, now } from '../foundation/clock.ts';
import { messageOf } from '../foundation/errors.ts';
import { type Answer, readAnswer, toResponse } from './answer.ts';
import type { Call, CallPurpose, PlatformErrorFacts, PlatformErrorKind } from './contract.ts';
import { PlatformError } from './contract.ts';
import { type Dialect, isDefiniteRefusal, refusalOf } from './error-kinds.ts';
import { boundedWaitMs, retryAfterMs } from './limit-headers.ts';
import type { Hold, RateLimits } from './rate-limits.ts';

/** What client libraries take as `fetch`. A body must be text or bytes, since a 307 has it sent once more. */
export type Fetch = (url: string | URL, init?: RequestInit) => Promise<Response>;

/** One operation of an adapter: everything it sends shares one deadline. */
export interface Operation {
  /** In words, begins every error message: `read ticket org/repo#7`. */
  readonly name: string;
  readonly call: Call;
  readonly dialect?: Dialect;
  /** It changes nothing, even where it posts a question that is too long for a URL. */
  readonly changesNothing?: boolean;
}

export interface Session {
  /**
   * Resolves with a 2xx or 304 answer, its body already read.
   * @throws PlatformError for everything else.
   */
  readonly fetch: Fetch;
  /** The data as `schema` describes it, or an `invalid-response` that says where it differs. */
  read<T>(schema: z.ZodType<T>, data: unknown): T;
  /** An error of this operation. Unless `facts` say otherwise, its `effect` is `none` as long as nothing was written. */
  error(kind: PlatformErrorKind, text: string, facts?: PlatformErrorFacts): PlatformError;
  /** Aborts at the deadline, when the caller gives up, and when the operation is over. */
  readonly signal: AbortSignal;
}

/** One HTTP request, as metrics see it. */
export interface RequestFacts {
  readonly credentialId: string;
  readonly purpose: CallPurpose;
  readonly durationMs: number;
  /** Missing when there was no whole answer. */
  readonly status?: number;
  /** Missing when the answer was usable. */
  readonly kind?: PlatformErrorKind;
  readonly notModified: boolean;
}

/** What all sessions of one transport share. */
interface Connection {
  readonly credentialId: string;
  readonly origin: string;
  readonly limits: RateLimits;
  readonly send: Fetch;
  readonly onRequest: (facts: RequestFacts) => void;
  readonly unstatedWaitMs: number;
  readonly maxBodyBytes: number;
}

/** The reason with which a session's signal aborts when its time is over. */
export class DeadlinePassed extends Error {
  constructor(operation: string) {
    super(`the deadline of "${operation}" has passed`);
    this.name = 'DeadlinePassed';
  }
}

const MAX_REDIRECTS = 5;

const HELD_BACK: Readonly<Record<Hold['why'], string>> = {
  'asked-to-wait': 'held back, the platform asked to wait',
  'kept-for-work': 'held back, what is left of the API budget is kept for claims and labels',
};

/** @param signal aborts with `DeadlinePassed` at the deadline, with any other reason when the caller gives up. */
export function openSession(connection: Connection, operation: Operation, signal: AbortSignal): Session {
  const { origin, limits } = connection;
  const { name, call, dialect } = operation;
  const startedAt = now();
  /** Writes that may have happened. */
  let writes = 0;
  const mayChange = (method: string): boolean => operation.changesNothing !== true && isWrite(method);

  const error: Session['error'] = (kind, text, facts) =>
    new PlatformError(kind, `${name}: ${text}`, { effect: writes === 0 ? 'none' : 'unknown', ...facts });

  const fetch: Fetch = async (url, init = {}) => {
    const method = (init.method ?? 'GET').toUpperCase();
    let target = new URL(url);
    if (target.origin !== origin) throw error('invalid-response', `${target.origin} is not ${origin}: not asked`);
    await refuseIfHeld(target, method);
    if (mayChange(method)) writes += 1;
    for (let hops = 0; hops <= MAX_REDIRECTS; hops += 1) {
      if (hops > 0) await refuseIfHeld(target, method);
      const answer = await exchange(target, { ...init, method });
      if (answer.status < 300 || answer.status === 304) return toResponse(answer);
      target = redirect(target, method, answer);
    }
    throw error('invalid-response', `redirected more than ${MAX_REDIRECTS} times`);
  };

  /** Throws when the request is not to be sent now. */
  const refuseIfHeld = async (url: URL, method: string): Promise<void> => {
    const place = `${method} ${url.pathname}`;
    const hold = signal.aborted ? undefined : await limits.hold(call.purpose, place);
    if (signal.aborted) throw brokenOff(signal.reason, place);
    // A timer fires too late after a pause. Whoever allowed this call counts on its deadline.
    if (elapsedMs(startedAt) >= call.deadlineMs) throw error('unavailable', `${place} was not sent: its time is over`);
    if (hold !== undefined) throw error('rate-limited', HELD_BACK[hold.why], { retryAfterMs: hold.waitMs });
  };

  const redirect = (from: URL, method: string, { status, headers }: Answer): URL => {
    const to = URL.parse(headers.get('location') ?? '', from.href);
    if (to?.origin !== origin) {
      throw error('invalid-response', 'redirected to another origin: not followed', { status });
    }
    if (!isWrite(method) || status === 307 || status === 308) return to;
    throw error('invalid-response', `a write was redirected with ${status}, as after a move: not repeated`, { status });
  };

  /** One request and its answer: noted, reported, and thrown when it is a refusal. */
  const exchange = async (url: URL, init: RequestInit & { method: string }): Promise<Answer> => {
    const request = `${init.method} ${url.pathname}`;
    const startedMs = performance.now();
    const report = (facts: Pick<RequestFacts, 'status' | 'kind'>): void => {
      call.onRequest?.();
      connection.onRequest({
        credentialId: connection.credentialId,
        purpose: call.purpose,
        durationMs: performance.now() - startedMs,
        notModified: facts.status === 304,
        ...facts,
      });
    };
    const answer = await receive(url, init).catch((cause: unknown) => {
      const failure = brokenOff(cause, request);
      report({ kind: failure.kind });
      throw failure;
    });
    const { status, headers } = answer;
    const said = dialect?.limit?.(headers, status) ?? {};
    // A window of nothing has let this request through: numbers of a server that does not mean them.
    const budget = said.limit === 0 ? {} : said;
    const askedMs = Math.max(retryAfterMs(headers) ?? 0, boundedWaitMs(budget.waitMs ?? 0) ?? 0);
    const refusal = refusalOf(answer, askedMs, dialect);
    const waitMs = askedMs === 0 && refusal?.kind === 'rate-limited' ? connection.unstatedWaitMs : askedMs;
    report({
      status,
      ...(refusal && { kind: refusal.kind }),
    });
    const resetMs = boundedWaitMs(budget.resetMs ?? 0);
    // Also when the answer is a refusal: nobody else may run into it.
    await limits.learn({ ...budget, waitMs, ...(resetMs !== undefined && { resetMs }) }, request);
    if (refusal === undefined) return answer;
    // A write that was refused has changed nothing. An earlier one that was not may have.
    if (mayChange(init.method) && (isDefiniteRefusal(status) || refusal.kind === 'auth')) writes -= 1;
    throw error(refusal.kind, `${request} ${refusal.text}`, {
      status,
      ...(waitMs > 0 && { retryAfterMs: waitMs }),
    });
  };

  const receive = async (url: URL, init: RequestInit): Promise<Answer> => {
    const response = await connection.send(url, { ...init, redirect: 'manual', signal });
    const answer = await readAnswer(response, connection.maxBodyBytes);
    if (answer === undefined) throw error('invalid-response', `answered more than ${connection.maxBodyBytes} bytes`);
    return answer;
  };

  /** Why there is no whole answer. */
  const brokenOff = (cause: unknown, request: string): PlatformError => {
    if (cause instanceof PlatformError) return cause;
    if (signal.reason instanceof DeadlinePassed) {
      return error('unavailable', `${request} had no answer within ${Math.round(call.deadlineMs)} ms`, {
        cause: signal.reason,
      });
    }
    if (signal.aborted) return error('unavailable', `${request} was aborted`, { cause: signal.reason });
    const reason = cause instanceof Error ? cause.cause : undefined;
    // Without a cause it is no network error but a request that cannot be built, and the message would quote the
    // header that is wrong: quite possibly a credential with a line break in it.
    if (reason === undefined) return error('auth', `${request} cannot be sent: the credential is no header value`);
    return error('unavailable', `${request} broke off: ${messageOf(reason)}`, { cause: reason });
  };

  const read: Session['read'] = (schema, data) => {
    const result = schema.safeParse(data);
    if (result.success) return result.data;
    // The first of the problems will do: a list of a hundred wrong things has a hundred.
    const { path = [], message = '' } = result.error.issues[0] ?? {};
    throw error('invalid-response', `the answer has another shape: ${[...path, message].join(': ')}`);
  };

  return { fetch, read, error, signal };
}

const isWrite = (method: string): boolean => !['GET', 'HEAD', 'OPTIONS'].includes(method);

/** The platform error that a client library has wrapped in errors of its own; undefined when there is none. */
export function platformErrorIn(error: unknown): PlatformError | undefined {
  for (let inner = error; inner instanceof Error; inner = inner.cause) if (inner instanceof PlatformError) return inner;
  return undefined;
}

/** The refusal that a question about rights may end in; everything else (a limit, an outage) is thrown on. */
export function refusalIn(error: unknown): PlatformError {
  if (error instanceof PlatformError && (error.kind === 'auth' || error.kind === 'not-found')) return error;
  throw error;
}
