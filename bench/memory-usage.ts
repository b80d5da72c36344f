/** What the keys in a Redis take, by what they are for. The kinds are those of `src/redis/keys.ts`, put together for people. */
import type { RedisConnection } from '../src/redis/connection.ts';

export const KEY_KINDS = ['runs', 'tickets', 'queue', 'lists', 'decisions', 'outputs', 'deliveries', 'other'] as const;

/**
 * `runs`: records and results; `tickets`: what is remembered of a ticket; `queue`: BullMQ's; `lists`: of runs and deliveries, by
 * state and time; `decisions`: the stream; `outputs`: what pipelines printed; `deliveries`: records and inboxes.
 */
export type KeyKind = (typeof KEY_KINDS)[number];

/** By the word after the namespace. */
const KINDS: Readonly<Record<string, KeyKind>> = {
  run: 'runs',
  result: 'runs',
  ticket: 'tickets',
  queue: 'queue',
  runs: 'lists',
  backlog: 'lists',
  admitted: 'lists',
  offered: 'lists',
  deliveries: 'lists',
  'inbox-due': 'lists',
  decisions: 'decisions',
  output: 'outputs',
  delivery: 'deliveries',
  inbox: 'deliveries',
};

const BATCH = 1_000;

/** All that the server has allocated for data, in bytes, once it has freed what was deleted. */
export async function usedBytes(redis: RedisConnection): Promise<number> {
  const info = await redis.read('ask for memory', (client) => client.info('memory'));
  const field = (name: string): number => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(info)?.[1]);
  // Buffers of clients and of scripts are not what tickets take, and change from one moment to the next.
  const overheads = ['mem_clients_normal', 'mem_clients_slaves', 'mem_aof_buffer', 'used_memory_scripts_eval'];
  const used = overheads.reduce((rest, name) => rest - field(name), field('used_memory'));
  if (Number.isNaN(used)) throw new Error('the server does not tell its memory as Redis 7 does');
  return used;
}

/** Every key of the namespace, measured in whole. */
export async function usedByKind(redis: RedisConnection): Promise<ReadonlyMap<KeyKind, number>> {
  const { prefix } = redis.keys;
  const used = new Map<KeyKind, number>(KEY_KINDS.map((kind) => [kind, 0]));
  // A scan may show a key twice.
  const seen = new Set<string>();
  await redis.read('measure keys', async (client) => {
    for await (const found of client.scanStream({ match: `${prefix}:*`, count: BATCH })) {
      const keys = (found as readonly string[]).filter((key) => !seen.has(key) && seen.add(key));
      const pipeline = client.pipeline();
      for (const key of keys) pipeline.memory('USAGE', key, 'SAMPLES', 0);
      const answers = (await pipeline.exec()) ?? [];
      answers.forEach(([error, bytes], index) => {
        if (error !== null) throw error;
        const [, family = ''] = (keys[index] ?? '').split(':');
        const kind = KINDS[family] ?? 'other';
        used.set(kind, (used.get(kind) ?? 0) + Number(bytes));
      });
    }
  });
  return used;
}
