/** Reads of runs. Throws `OperationError` when Redis is away. */
import { RUN_STATES, type Run, type RunState } from '../domain/run.ts';
import type { TicketKey } from '../domain/ticket.ts';
import type { RedisConnection } from '../redis/connection.ts';
import { runOf } from './run-record.ts';

export interface RunReader {
  get(id: string): Promise<Run | undefined>;
  /** The current or last run of a ticket. */
  ofTicket(ticket: TicketKey): Promise<Run | undefined>;
  /** Whether the run is its ticket's current or last one. */
  isCurrent(run: Run): Promise<boolean>;
  /** Runs in a state, those longest in it first; `minAgeMs` leaves out the ones that entered it later than that. */
  inState(state: RunState, options: { readonly most: number; readonly minAgeMs?: number }): Promise<Run[]>;
  counts(): Promise<Record<RunState, number>>;
  output(id: string): Promise<string | undefined>;
}

export function createRunReader(redis: RedisConnection): RunReader {
  const { keys } = redis;
  const get = (id: string): Promise<Run | undefined> =>
    redis.read('read run', async (client) => runOf(await client.hgetall(keys.run(id))));
  const idOf = (ticket: TicketKey): Promise<string | null> =>
    redis.read('read ticket record', (client) => client.hget(keys.ticket(ticket), 'run'));
  return {
    get,
    async ofTicket(ticket) {
      const id = await idOf(ticket);
      return id === null ? undefined : await get(id);
    },
    isCurrent: async (run) => (await idOf(run.ticket)) === run.id,
    async inState(state, { most, minAgeMs = 0 }) {
      const latestMs = (await redis.timeMs()) - minAgeMs;
      const ids = await redis.read('list runs', (client) =>
        client.zrangebyscore(keys.runs(state), '-inf', latestMs, 'LIMIT', 0, most),
      );
      const runs = await Promise.all(ids.map(get));
      return runs.filter((run): run is Run => run?.state === state);
    },
    counts: () =>
      redis.read('count runs', async (client) => {
        const sizes = await Promise.all(RUN_STATES.map((state) => client.zcard(keys.runs(state))));
        return Object.fromEntries(RUN_STATES.map((state, i) => [state, sizes[i] ?? 0])) as Record<RunState, number>;
      }),
    output: (id) => redis.read('read output', async (client) => (await client.get(keys.output(id))) ?? undefined),
  };
}
