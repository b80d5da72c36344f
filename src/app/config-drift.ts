/**
 * Tells when replicas run different configurations for longer than a rolling update takes (PROTOCOL 10). Every replica
 * looks for itself, so `/health` of each says it.
 */
import type { ConfigBoard, ConfigDifference } from '../coordination/config-board.ts';
import { messageOf } from '../foundation/errors.ts';
import type { Finding, Findings } from '../foundation/findings.ts';
import type { Log } from '../foundation/log.ts';
import { every } from '../foundation/loop.ts';

const CODE = 'config-differs';
/** Enough of a hash to tell it from others, as `/health` of each replica shows it whole. */
const SHORT = 12;

/** What people should know of a difference; undefined while it may still be a rolling update. Pure. */
export function findingOf(difference: ConfigDifference | undefined, configDriftMs: number): Finding | undefined {
  if (difference === undefined || difference.forMs <= configDriftMs) return undefined;
  const groups = difference.groups.map(({ hash, instances }) => `${hash.slice(0, SHORT)} on ${instances.join(', ')}`);
  const minutes = Math.floor(difference.forMs / 60_000);
  const text = `Replicas run different configurations, for ${minutes} min: ${groups.join('; ')}. Give them all the same file, or restart those that did not take it.`;
  return { code: CODE, severity: 'warning', text };
}

export interface ConfigDriftDeps {
  readonly board: ConfigBoard;
  readonly instance: string;
  /** Of the configuration of the moment. */
  readonly hash: () => string;
  readonly findings: Findings;
  readonly log: Log;
}

export interface ConfigDriftOptions {
  readonly configNoteMs: number;
  readonly configDriftMs: number;
}

/** Notes and compares until the signal aborts. Never rejects. */
export function watchConfigDrift(
  deps: ConfigDriftDeps,
  options: ConfigDriftOptions,
  signal: AbortSignal,
): Promise<void> {
  const { board, instance, hash, findings, log } = deps;
  return every(
    {
      intervalMs: options.configNoteMs,
      signal,
      // Without Redis nobody can tell: what was found stands until somebody can.
      onError: (error) => log.debug({ error: messageOf(error) }, 'configurations not compared'),
    },
    async () => {
      const finding = findingOf(await board.note(instance, hash()), options.configDriftMs);
      if (finding === undefined) findings.clear(CODE);
      else findings.raise(finding);
    },
  );
}
