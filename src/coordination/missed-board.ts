/**
 * How far each project's platform was asked for what it could not deliver: where the next leader goes on, since otherwise
 * it would look back as far as platforms keep their lists. And what it said: `/health` of every replica shows it.
 */
import type { Finding } from '../foundation/findings.ts';
import type { RedisConnection } from '../redis/connection.ts';
import { createProjectBoard, type ProjectBoard } from './project-board.ts';

/** Times are Redis TIME, ms. */
export interface MissedNote {
  /** Everything before was asked for, and has arrived or been given up. */
  readonly sinceMs: number;
  /** `Listening.downMs` at that time. */
  readonly downMs: number;
  /** The last gap in which something was missed. */
  readonly last?: MissedGap;
  /** What people should know of the project's hooks. */
  readonly finding?: Finding;
}

export interface MissedGap {
  /** When it was found. */
  readonly atMs: number;
  /** How long nobody could take deliveries; 0 when it was not that. */
  readonly downMs: number;
  /** Deliveries that were not on record. */
  readonly found: number;
  /** Those that are by now. */
  readonly recovered: number;
  /** Those of them whose tickets were worth a look. */
  readonly relevant: number;
  /** Sent once more, and not on record yet. */
  readonly notArrived: number;
}

export type MissedBoard = ProjectBoard<MissedNote>;

/** Longer than any platform keeps its list. */
const BOARD_TTL_MS = 7 * 86_400_000;

export function createMissedBoard(redis: Pick<RedisConnection, 'keys' | 'read' | 'script'>): MissedBoard {
  return createProjectBoard(redis, { key: redis.keys.missed, ttlMs: BOARD_TTL_MS, name: 'missed deliveries' });
}
