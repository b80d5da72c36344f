/** From what the client library throws to one kind of error. Pure. */
import { messageOf } from '../../../foundation/errors.ts';
import { oneLine } from '../../../foundation/one-line.ts';
import { ClusterError, type ClusterErrorKind } from './cluster.ts';

/** How the library throws an answer that is no success. Known by its shape: the library itself is loaded late. */
interface Refusal {
  readonly code: number;
  /** A `Status` in JSON, or whatever stood in between. */
  readonly body: unknown;
  readonly headers: Readonly<Record<string, string>>;
}

export function clusterError(error: unknown): ClusterError {
  if (error instanceof ClusterError) return error;
  if (!isRefusal(error)) return new ClusterError('unavailable', `no answer: ${causeOf(error)}`, { cause: error });
  const { reason = '', message = '' } = statusOf(error.body);
  const seconds = Number(error.headers['retry-after']);
  const words = message === '' ? `it answered ${error.code}` : oneLine(message);
  // The library's own error quotes headers and bodies: it is not kept as the cause.
  return new ClusterError(kindOf(error.code, reason), words, {
    status: error.code,
    retryAfterMs: Number.isFinite(seconds) ? seconds * 1000 : undefined,
  });
}

/** What comes as an event inside a watch. */
export function watchedError(status: { readonly code?: number; readonly message?: string }): ClusterError {
  const { code = 500, message = '' } = status;
  return new ClusterError(kindOf(code, ''), oneLine(message), { status: code });
}

function kindOf(code: number, reason: string): ClusterErrorKind {
  switch (code) {
    case 401:
    case 403:
      return 'refused';
    case 404:
      return 'not-found';
    case 409:
      return reason === 'AlreadyExists' ? 'exists' : 'conflict';
    case 410:
      return 'expired';
    case 429:
      return 'unavailable';
    default:
      return code >= 400 && code < 500 ? 'invalid' : 'unavailable';
  }
}

function isRefusal(error: unknown): error is Error & Refusal {
  return error instanceof Error && 'code' in error && typeof error.code === 'number' && 'headers' in error;
}

function statusOf(body: unknown): { readonly reason?: string; readonly message?: string } {
  if (typeof body !== 'string') return {};
  try {
    const status: unknown = JSON.parse(body);
    return typeof status === 'object' && status !== null ? status : {};
  } catch {
    // A page of some proxy: its status says enough.
    return {};
  }
}

/** `fetch failed` says nothing: what did fail is its cause. */
function causeOf(error: unknown): string {
  return error instanceof Error && error.cause instanceof Error ? messageOf(error.cause) : messageOf(error);
}
