/**
 * What keeps Redis from growing without bound: with `noeviction` that would end in a full stop. Records go by themselves,
 * and the scripts that add to a list trim it. These acts are for what remains: lists that nothing is added to any more, and
 * what a list names although its record is gone or says something else.
 */
import { isTerminal, RUN_STATES, type RunState } from '../domain/run.ts';
import type { RedisConnection } from '../redis/connection.ts';
import type { Reply } from '../redis/scripts.ts';
import { type RoundCursor, readRound } from './rounds.ts';

export const MOST_DELIVERIES = 100_000;
export const MOST_DECISIONS = 100_000;

/** Entries looked at in one script: it holds up everybody else. */
const BATCH = 500;

/** The lists that runs are on: one for each state, and those whose label is due. */
export type RunList = RunState | 'unconfirmed';

export const RUN_LISTS: readonly RunList[] = [...RUN_STATES, 'unconfirmed'];

export interface Trimmed {
  readonly deliveries: number;
  readonly runs: number;
}

export interface Tidied {
  /** Entries of runs that are gone, or in another state by now. */
  readonly strays: number;
  /** Ids of live runs whose ticket had lost its record: it names them again. */
  readonly restored: readonly string[];
  /** Ids of live runs whose ticket belongs to a newer one: ended as `cancelled`. */
  readonly superseded: readonly string[];
}

/** Both throw `OperationError` when Redis is away. Safe to do twice. */
export interface RetentionRecords {
  /** Takes off the lists what has outlived its record. */
  trim(): Promise<Trimmed>;
  /** One round over a list of runs, at most `most` of them: see `tidy-runs.lua`. */
  tidy(list: RunList, cursor: RoundCursor, most: number): Promise<Tidied>;
}

export interface RetentionOptions {
  readonly runTtlMs: number;
  readonly ticketTtlMs: number;
  readonly deliveryTtlMs: number;
  /** Records that are kept: `MOST_DELIVERIES` unless told. */
  readonly mostDeliveries?: number;
}

export function createRetentionRecords(redis: RedisConnection, options: RetentionOptions): RetentionRecords {
  const { keys } = redis;
  const keyOf = (list: RunList): string => (list === 'unconfirmed' ? keys.unconfirmed : keys.runs(list));
  return {
    async trim() {
      const [, deliveries, runs] = await redis.script(
        'trim-lists',
        [keys.deliveries, ...RUN_STATES.filter(isTerminal).map(keys.runs)],
        [options.deliveryTtlMs, options.mostDeliveries ?? MOST_DELIVERIES, keys.delivery(''), options.runTtlMs, BATCH],
      );
      return { deliveries: Number(deliveries), runs: Number(runs) };
    },
    async tidy(list, cursor, most) {
      const ids = await readRound(redis, keyOf(list), cursor, { most });
      const sum = { strays: 0, restored: [] as string[], superseded: [] as string[] };
      for (let at = 0; at < ids.length; at += BATCH) {
        const [, strays, restored, superseded] = await redis.script(
          'tidy-runs',
          [keyOf(list), keys.runs('cancelled'), keys.unconfirmed],
          [
            ...(list === 'unconfirmed' ? ['labelState', 'unconfirmed'] : ['state', list]),
            keys.run(''),
            keys.ticket(''),
            options.runTtlMs,
            options.ticketTtlMs,
            ...ids.slice(at, at + BATCH),
          ],
        );
        sum.strays += Number(strays);
        sum.restored.push(...listIn(restored));
        sum.superseded.push(...listIn(superseded));
      }
      return sum;
    },
  };
}

function listIn(reply: Reply[number] | undefined): readonly string[] {
  return typeof reply === 'object' ? reply : [];
}
