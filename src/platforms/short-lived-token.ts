/**
 * A token that a platform hands out for an hour or so, shared by all operations on one credential.
 *
 *   none, over, or dropped --first who needs it--> asked for --> in use until minutes before its end
 *
 * The request for a new one belongs to all who wait for it: it goes on while one of them still does, and each waits no
 * longer than its own deadline. A token that was refused before its time is dropped, at most once a minute.
 */
import { elapsedMs, type Moment, now } from '../foundation/clock.ts';
import { messageOf } from '../foundation/errors.ts';
import { type Call, PlatformError } from './contract.ts';
import type { Session } from './session.ts';
import type { Transport } from './transport.ts';

export interface ShortLivedToken {
  /** A token with minutes left to live. Throws errors of the session; its effect is `none`. */
  get(session: Session, call: Call): Promise<string>;
  /** The platform has refused this token before its time: the next operation asks for another one, unless that has just been tried. */
  drop(token: string): void;
}

/** Asks for a token; `livesMs` from the answer on, by the server's own clock. */
export type ObtainToken = (call: Call) => Promise<{ readonly token: string; readonly livesMs: number }>;

interface Held {
  readonly token: string;
  readonly askedAt: Moment;
  readonly renewAfterMs: number;
}

interface Renewal {
  readonly result: Promise<Held>;
  readonly ending: AbortController;
  waiting: number;
}

/** Longer than any operation: what began with a token also ends with it. */
const RENEW_BEFORE_END_MS = 5 * 60_000;
/** However often tokens are refused, or their times make no sense, no more than one a minute is asked for. */
const LEAST_USE_MS = 60_000;

const createState = (): { held?: Held | undefined; droppedAt?: Moment; renewal?: Renewal | undefined } => ({});

/** @param transport the one of the credential: all that is opened on it have one token. */
export function createShortLivedToken(transport: Transport, obtain: ObtainToken): ShortLivedToken {
  const state = transport.shared(createState);

  const ask = async (call: Call): Promise<Held> => {
    const askedAt = now();
    const { token, livesMs } = await obtain(call);
    transport.learnSecret(token);
    const renewAfterMs = Math.max(livesMs / 2, livesMs - RENEW_BEFORE_END_MS, LEAST_USE_MS);
    state.held = { token, askedAt, renewAfterMs };
    return state.held;
  };

  const renew = (call: Call): Renewal => {
    const ending = new AbortController();
    return { result: ask({ ...call, signal: ending.signal }), ending, waiting: 0 };
  };

  const leave = (renewal: Renewal): void => {
    renewal.waiting -= 1;
    if (renewal.waiting > 0) return;
    if (state.renewal === renewal) state.renewal = undefined;
    renewal.ending.abort('nobody waits for the token any more');
  };

  return {
    async get(session, call) {
      const { held } = state;
      if (held !== undefined && elapsedMs(held.askedAt) < held.renewAfterMs) return held.token;
      const renewal = (state.renewal ??= renew(call));
      renewal.waiting += 1;
      try {
        const { token } = await Promise.race([renewal.result, abortion(session.signal)]);
        return token;
      } catch (error) {
        throw failureFor(session, error);
      } finally {
        leave(renewal);
      }
    },
    drop(token) {
      const { held, droppedAt } = state;
      if (held?.token !== token || (droppedAt !== undefined && elapsedMs(droppedAt) < LEAST_USE_MS)) return;
      state.held = undefined;
      state.droppedAt = now();
    },
  };
}

function abortion(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const give = (): void => reject(new Error(`waited for a token in vain: ${messageOf(signal.reason)}`));
    if (signal.aborted) give();
    signal.addEventListener('abort', give, { once: true });
  });
}

/**
 * The shared failure as an error of the operation that needed the token: it has written nothing, and a sign-in that is
 * not there is no ticket that is not there.
 */
function failureFor(session: Session, error: unknown): PlatformError {
  if (!(error instanceof PlatformError)) {
    return session.error('unavailable', messageOf(error), { effect: 'none', cause: error });
  }
  const { kind, status, retryAfterMs, message } = error;
  return session.error(kind === 'not-found' ? 'auth' : kind, message, {
    ...(status !== undefined && { status }),
    ...(retryAfterMs !== undefined && { retryAfterMs }),
    cause: error,
  });
}
