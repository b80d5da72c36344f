/**
 * Whether the server takes writes. One that is up may refuse them all: its memory is full, its disk does not take what it
 * saves, or fewer replicas follow it than it was told to insist on. Reads go on, and so nothing else would show it: deliveries
 * are answered 503, nothing is claimed, nothing starts, what has ended waits to be recorded.
 *
 * It is asked by a write that changes nothing: no text, put into a key that is never there.
 */
import { messageOf, OperationError } from '../foundation/errors.ts';
import type { Finding, Findings } from '../foundation/findings.ts';
import type { Log } from '../foundation/log.ts';
import { every } from '../foundation/loop.ts';
import type { RedisConnection } from './connection.ts';

/** What the first word of a refusal means. */
const REFUSALS: Readonly<Record<string, string>> = {
  OOM: 'its memory is full; live runs go on. Give it more memory (maxmemory), or remove what is not ours',
  MISCONF: 'it cannot save its data; runs are stopped and go on afterwards. Look at its disk and its log',
  NOREPLICAS:
    'too few replicas follow it (min-replicas-to-write); runs are stopped and go on afterwards. Look at its replicas',
};

const CODE = 'redis-refuses-writes';

function findingOf(refusal: string): Finding {
  const text = `Redis takes no writes, so deliveries are answered 503 and nothing is claimed or started: ${refusal}.`;
  return { code: CODE, severity: 'error', text };
}

/** Undefined when the error is anything else, an unreachable server above all. */
function refusalIn(error: unknown): string | undefined {
  const cause = error instanceof OperationError ? error.cause : error;
  const [word = ''] = messageOf(cause).split(' ');
  return REFUSALS[word];
}

/** Asks until the signal aborts. Never rejects. */
export function watchWrites(
  redis: Pick<RedisConnection, 'keys' | 'read'>,
  { findings, log }: { readonly findings: Findings; readonly log: Log },
  options: { readonly redisProbeMs: number },
  signal: AbortSignal,
): Promise<void> {
  let refused: string | undefined;
  const note = (refusal: string | undefined): void => {
    if (refusal === refused) return;
    refused = refusal;
    if (refusal === undefined) {
      findings.clear(CODE);
      log.info('redis takes writes again');
    } else {
      findings.raise(findingOf(refusal));
      log.error({ refusal }, 'redis takes no writes');
    }
  };
  return every(
    {
      intervalMs: options.redisProbeMs,
      signal,
      onError: (error) => {
        const refusal = refusalIn(error);
        // Whoever is away says nothing about writes.
        if (refusal !== undefined) note(refusal);
      },
    },
    async () => {
      await redis.read('write nothing', (client) => client.setrange(redis.keys.neverThere, 0, ''));
      note(undefined);
    },
  );
}
