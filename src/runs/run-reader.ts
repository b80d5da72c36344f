/** Reads of runs. Throws `OperationError` when Redis is away. */
import { type AttemptRecord, isWaiting, RUN_STATES, type Run, type RunState } from '../domain/run.ts';
import { parseRunResult, type RunResult } from '../domain/run-result.ts';
import type { TicketKey } from '../domain/ticket.ts';
import type { RedisConnection } from '../redis/connection.ts';
import { type Page, type PageQuestion, readPage } from './page.ts';
import { type RoundCursor, type RoundQuestion, readRound } from './rounds.ts';
import { attemptsOf, runOf } from './run-record.ts';

export interface RunReader {
  get(id: string): Promise<Run | undefined>;
  /** The current or last run of a ticket. */
  ofTicket(ticket: TicketKey): Promise<Run | undefined>;
  /** The id of that run, whether or not there is a record of it. */
  idOfTicket(ticket: TicketKey): Promise<string | undefined>;
  /** Whether the run is its ticket's current or last one. */
  isCurrent(run: Run): Promise<boolean>;
  /**
   * Runs in a state, those longest in it first; `minAgeMs` leaves out the ones that entered it later than that. With a
   * `cursor` those that come after the ones it has shown.
   */
  inState(
    state: RunState,
    options: { readonly most: number; readonly minAgeMs?: number; readonly cursor?: RoundCursor },
  ): Promise<Run[]>;
  /**
   * Queued runs that have been admitted and in the queue for `minAgeMs`: they should have a job. And those that somebody has
   * cancelled: they should have ended. In rounds, as `inState`.
   */
  admitted(options: { readonly most: number; readonly minAgeMs: number; readonly cursor: RoundCursor }): Promise<Run[]>;
  /** Those that entered their state last come first. */
  list(
    page: PageQuestion & { readonly state?: RunState | undefined; readonly project?: string | undefined },
  ): Promise<Page<Run>>;
  /** In their order; those that ended longest ago may be forgotten. */
  attempts(id: string): Promise<AttemptRecord[]>;
  counts(): Promise<Record<RunState, number>>;
  /** How many runs have a label that is not confirmed yet. */
  unconfirmed(): Promise<number>;
  output(id: string): Promise<string | undefined>;
  /** What the run says came of it; undefined when it said nothing. */
  result(id: string): Promise<RunResult | undefined>;
}

export function createRunReader(redis: RedisConnection): RunReader {
  const { keys } = redis;
  const read = (id: string): Promise<Record<string, string>> =>
    redis.read('read run', (client) => client.hgetall(keys.run(id)));
  const get = async (id: string): Promise<Run | undefined> => runOf(await read(id));
  const idOfTicket = (ticket: TicketKey): Promise<string | undefined> =>
    redis.read('read ticket record', async (client) => (await client.hget(keys.ticket(ticket), 'run')) ?? undefined);
  const round = async (state: RunState, cursor: RoundCursor, question: RoundQuestion): Promise<Run[]> => {
    const ids = await readRound(redis, keys.runs(state), cursor, question);
    const runs = await Promise.all(ids.map(get));
    return runs.filter((run): run is Run => run?.state === state);
  };
  return {
    get,
    async ofTicket(ticket) {
      const id = await idOfTicket(ticket);
      return id === undefined ? undefined : await get(id);
    },
    idOfTicket,
    isCurrent: async (run) => (await idOfTicket(run.ticket)) === run.id,
    async inState(state, { most, minAgeMs = 0, cursor = { next: undefined } }) {
      const latestMs = (await redis.timeMs()) - minAgeMs;
      return await round(state, cursor, { most, latestMs });
    },
    async admitted({ most, minAgeMs, cursor }) {
      const latestMs = (await redis.timeMs()) - minAgeMs;
      const queued = await round('queued', cursor, { most, latestMs });
      return queued.filter(
        (run) => run.cancelRequested !== undefined || (!isWaiting(run) && (run.admittedAtMs ?? 0) <= latestMs),
      );
    },
    list: ({ state, project, ...page }) =>
      readPage(redis, (state === undefined ? RUN_STATES : [state]).map(keys.runs), page, async (id) => {
        const run = await get(id);
        const asked = (state ?? run?.state) === run?.state && (project ?? run?.project) === run?.project;
        return asked ? run : undefined;
      }),
    attempts: async (id) => attemptsOf(await read(id)),
    counts: () =>
      redis.read('count runs', async (client) => {
        const sizes = await Promise.all(RUN_STATES.map((state) => client.zcard(keys.runs(state))));
        return Object.fromEntries(RUN_STATES.map((state, i) => [state, sizes[i] ?? 0])) as Record<RunState, number>;
      }),
    unconfirmed: () => redis.read('count unconfirmed labels', (client) => client.zcard(keys.unconfirmed)),
    output: (id) => redis.read('read output', async (client) => (await client.get(keys.output(id))) ?? undefined),
    async result(id) {
      const parsed = parseRunResult((await redis.read('read result', (client) => client.get(keys.result(id)))) ?? '');
      return parsed.ok ? parsed.result : undefined;
    },
  };
}
