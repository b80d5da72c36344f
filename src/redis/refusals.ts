/**
 * What the host of a server says while the server is away. A refusal (ECONNREFUSED) is the host's own word that nobody
 * listens there; anything else, a timeout above all, may as well be a broken line to a server that goes on for others.
 */
import type { Redis } from 'ioredis';

/**
 * Watches a client of one fixed address. The answer is true when contact was lost, or never made, and every attempt to
 * connect since then was refused. Call it before other listeners for `close` change what `isUp` says.
 */
export function watchRefusals(client: Redis, isUp: () => boolean): () => boolean {
  let attempts: 'none' | 'refused' | 'otherwise' = 'none';
  let failure: unknown;
  client.on('connecting', () => {
    failure = undefined;
  });
  client.on('connect', () => {
    // Whatever comes of it, somebody listens there.
    attempts = 'otherwise';
  });
  client.on('error', (error: unknown) => {
    failure = error;
  });
  client.on('close', () => {
    if (isUp()) attempts = 'none';
    else if (!isRefusal(failure)) attempts = 'otherwise';
    else if (attempts === 'none') attempts = 'refused';
  });
  return () => attempts === 'refused';
}

/** A name with several addresses fails with an error for each of them. */
function isRefusal(error: unknown): boolean {
  if (error instanceof AggregateError) return error.errors.length > 0 && error.errors.every(isRefusal);
  return error instanceof Error && 'code' in error && error.code === 'ECONNREFUSED';
}
