/**
 * Why something happened to a ticket, or why nothing did: one stream that people and `explain` read. Written only when
 * a ticket's decision changes, so that a ticket refused every minute costs one entry.
 */
import type { TicketKey } from '../domain/ticket.ts';
import { DEFAULT_TIMING } from '../domain/timing.ts';
import type { RedisConnection } from '../redis/connection.ts';
import { MOST_DECISIONS } from './retention.ts';
import { flatten, hashOf } from './run-record.ts';

export interface Decision {
  readonly ticket: TicketKey;
  readonly project: string;
  /** Who decided: `claim`, `attempt`, `repair`, `label`, `cancel`. */
  readonly by: string;
  /** One word group, for example `claimed` or `not-eligible: closed`. */
  readonly outcome: string;
  readonly run?: string;
  readonly trigger?: string;
  /** What a person should know beyond the outcome. Never ticket text. */
  readonly detail?: string;
}

/**
 * What a decision is compared by with the one before. Not the project: all projects on a source look at the same ticket
 * in turn and decide the same.
 */
export function gistOf({ by, outcome, run }: Decision): string {
  return [by, outcome, run ?? ''].join(' ');
}

export interface DecisionLog {
  /** True when it was written, false when it is what was decided before. Throws `OperationError` when Redis is away. */
  record(decision: Decision): Promise<boolean>;
  /** The newest entries, newest first. */
  latest(most: number): Promise<DatedDecision[]>;
  /** The newest entries about one ticket, newest first. May walk through the whole stream: for people, not for loops. */
  ofTicket(ticket: TicketKey, most: number): Promise<DatedDecision[]>;
}

export interface DatedDecision extends Decision {
  /** Redis TIME, ms. */
  readonly atMs: number;
}

/** Entries that are asked for at once. */
const BATCH = 1_000;

export function createDecisionLog(
  redis: RedisConnection,
  options: { readonly ticketTtlMs: number } = DEFAULT_TIMING,
): DecisionLog {
  const { keys } = redis;
  const batch = (from: string, most: number): Promise<{ readonly id: string; readonly decision: DatedDecision }[]> =>
    redis.read('read decisions', async (client) => {
      const entries = await client.xrevrange(keys.decisions, from, '-', 'COUNT', most);
      return entries.map(([id, fields]) => ({
        id,
        decision: { ...(hashOf(fields) as unknown as Decision), atMs: Number(id.split('-')[0]) },
      }));
    });
  return {
    async record(decision) {
      const [written] = await redis.script(
        'record-decision',
        [keys.ticket(decision.ticket), keys.decisions],
        [gistOf(decision), MOST_DECISIONS, options.ticketTtlMs, ...flatten(decision)],
      );
      return written === '1';
    },
    latest: async (most) => (await batch('+', most)).map(({ decision }) => decision),
    async ofTicket(ticket, most) {
      const found: DatedDecision[] = [];
      // What was decided last is noted with the ticket, so that one without any costs no walk.
      const noted = await redis.read('read ticket record', (client) => client.hget(keys.ticket(ticket), 'decision'));
      let from = noted === null ? undefined : '+';
      while (from !== undefined && found.length < most) {
        const entries = await batch(from, BATCH);
        found.push(...entries.flatMap(({ decision }) => (decision.ticket === ticket ? [decision] : [])));
        const last = entries.length < BATCH ? undefined : entries.at(-1);
        from = last === undefined ? undefined : `(${last.id}`;
      }
      return found.slice(0, most);
    },
  };
}
