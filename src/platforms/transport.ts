/**
 * The one way to a provider: HTTP for one credential at one origin.
 *
 * It keeps what every platform needs and no client library does well: one deadline for a whole operation that really
 * aborts the request on the wire, waits that a platform asks for, redirects that cannot carry a credential elsewhere,
 * and answers that are never taken for something they are not. It hands a client library a `fetch` and knows no
 * provider itself.
 *
 * It never sleeps and never sends a request twice: every caller has its own schedule, and a silent second try of a write
 * would double it.
 */
import { createRateLimits, type RateLimits } from './rate-limits.ts';
import {
  DeadlinePassed,
  type Fetch,
  type Operation,
  openSession,
  platformErrorIn,
  type RequestFacts,
  type Session,
} from './session.ts';

export interface TransportOptions {
  /** Names the credential in metrics; never the credential itself. */
  readonly credentialId: string;
  /** The only origin that is spoken to. A path is ignored, so the URL of an API will do. */
  readonly origin: string;
  readonly fetch?: Fetch;
  /** Called once per HTTP request; a call that was held back is none. Must not throw. */
  readonly onRequest?: (facts: RequestFacts) => void;
  readonly limits?: RateLimits;
  /** Told of every token that an adapter obtains by itself. */
  readonly learnSecret?: (secret: string) => void;
  /** The wait after a refusal for its rate that names none, in ms; a minute, as GitHub asks for. */
  readonly unstatedWaitMs?: number;
  /** The largest body that is read, in bytes; 32 MiB. */
  readonly maxBodyBytes?: number;
}

export interface Transport {
  readonly credentialId: string;
  readonly limits: RateLimits;
  /** An adapter tells of each token that it obtained by itself, before it is used: it must never reach a log either. */
  readonly learnSecret: (secret: string) => void;
  /**
   * Runs an operation under its deadline, which starts now. A `PlatformError` that a client library wrapped comes out
   * unwrapped, so that what is thrown never holds the request with its headers.
   */
  run<T>(operation: Operation, work: (session: Session) => Promise<T>): Promise<T>;
  /** What all adapters on this credential share: made by the first who asks, one for each `create`. */
  shared<T>(create: () => T): T;
}

export function createTransport(options: TransportOptions): Transport {
  const connection = {
    credentialId: options.credentialId,
    origin: new URL(options.origin).origin,
    limits: options.limits ?? createRateLimits(),
    send: options.fetch ?? fetch,
    onRequest: options.onRequest ?? (() => {}),
    unstatedWaitMs: options.unstatedWaitMs ?? 60_000,
    maxBodyBytes: options.maxBodyBytes ?? 32 * 1024 * 1024,
  };
  const sharedThings = new Map<() => unknown, unknown>();
  return {
    credentialId: connection.credentialId,
    limits: connection.limits,
    learnSecret: options.learnSecret ?? (() => {}),
    async run(operation, work) {
      const { signal, deadlineMs } = operation.call;
      const ending = new AbortController();
      const giveUp = (): void => ending.abort(signal.reason);
      if (signal.aborted) giveUp();
      signal.addEventListener('abort', giveUp, { once: true });
      const deadline = setTimeout(() => ending.abort(new DeadlinePassed(operation.name)), deadlineMs);
      try {
        return await work(openSession(connection, operation, ending.signal));
      } catch (error) {
        throw platformErrorIn(error) ?? error;
      } finally {
        clearTimeout(deadline);
        signal.removeEventListener('abort', giveUp);
        // Nothing outlives its operation: with its deadline gone, a request left behind could hang for ever.
        ending.abort('the operation is over');
      }
    },
    shared<T>(create: () => T): T {
      if (!sharedThings.has(create)) sharedThings.set(create, create());
      return sharedThings.get(create) as T;
    },
  };
}
