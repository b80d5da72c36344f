/**
 * Whether the Redis server keeps what it is given. A policy that evicts, or a server that forgets everything at its
 * restart, is no reason to stop, but a finding: the labels bring tickets back, at the price of a recovery.
 */

import { messageOf } from '../foundation/errors.ts';
import type { Finding, Findings } from '../foundation/findings.ts';
import type { Log } from '../foundation/log.ts';
import type { RedisConnection } from './connection.ts';

const EVICTS: Finding = {
  code: 'redis-evicts',
  severity: 'error',
  text: 'Redis may evict records when its memory is full: set maxmemory-policy to noeviction.',
};
const FORGETS: Finding = {
  code: 'redis-forgets',
  severity: 'warning',
  text: 'Redis keeps no append-only file, so a restart loses its data and starts a recovery: set appendonly to yes.',
};
const UNKNOWN: Finding = {
  code: 'redis-settings-unknown',
  severity: 'info',
  text: 'Redis does not tell its settings (CONFIG is forbidden): make sure of maxmemory-policy noeviction and appendonly yes.',
};

/** What the settings say; undefined values were not told. Pure. */
export function judgeSettings(settings: {
  readonly policy: string | undefined;
  readonly appendOnly: string | undefined;
}): Finding[] {
  const { policy, appendOnly } = settings;
  if (policy === undefined || appendOnly === undefined) return [UNKNOWN];
  return [...(policy === 'noeviction' ? [] : [EVICTS]), ...(appendOnly === 'yes' ? [] : [FORGETS])];
}

/** Looks whenever the connection comes up, since it may be another server then. */
export function watchServerSettings(redis: RedisConnection, findings: Findings, log: Log): void {
  const setting = async (name: string): Promise<string | undefined> => {
    const reply = await redis.read('read redis settings', (client) => client.config('GET', name));
    return Array.isArray(reply) ? reply[1] : undefined;
  };
  const look = async (): Promise<void> => {
    let found: Finding[];
    try {
      found = judgeSettings({ policy: await setting('maxmemory-policy'), appendOnly: await setting('appendonly') });
    } catch (error) {
      log.debug({ error: messageOf(error) }, 'redis settings not read');
      found = [UNKNOWN];
    }
    for (const { code } of [EVICTS, FORGETS, UNKNOWN]) findings.clear(code);
    for (const finding of found) findings.raise(finding);
  };
  redis.onChange(({ state }) => {
    if (state === 'up') void look();
  });
}
