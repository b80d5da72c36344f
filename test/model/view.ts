/**
 * What Redis really knows, read in one round trip and put into the model's words. `raw` is everything that it holds for
 * these tickets and runs, times to live included: equal texts mean that nothing was written.
 */
import type { Run, RunState } from '../../src/domain/run.ts';
import type { RedisConnection } from '../../src/redis/connection.ts';
import { runOf } from '../../src/runs/run-record.ts';
import type { Records, RunEntry, TicketEntry } from './model.ts';
import { PAPER_PROJECT } from './paper-platform.ts';

export interface View {
  readonly records: Records;
  readonly raw: string;
  /** The note of whose data this is. */
  readonly noted: boolean;
  /** The run that a ticket names, as the house sees it. */
  runOf(ticket: string): Run | undefined;
  /** Keys without a time to live that must have one. */
  readonly endless: readonly string[];
}

export const LISTS = ['received', 'queued', 'running', 'completed', 'failed', 'cancelled', 'unconfirmed'] as const;

/** The lists of fair use, by their names in the model; `backlog` and `putOff` are sorted by time. */
export function keysOfFairUse({ keys }: Pick<RedisConnection, 'keys'>): Record<keyof Records['fairUse'], string> {
  return {
    backlog: keys.backlog(PAPER_PROJECT.name),
    putOff: keys.putOff(PAPER_PROJECT.name),
    admitted: keys.admitted('project', PAPER_PROJECT.name),
    offered: keys.offered,
    aside: keys.setAside,
  };
}

export interface Named {
  /** By their names in the model, their keys. */
  readonly tickets: ReadonlyMap<string, string>;
  /** Every run id that was ever given. */
  readonly runs: readonly string[];
}

type Hash = Record<string, string>;

export async function readView(redis: RedisConnection, { tickets, runs }: Named): Promise<View> {
  const { keys } = redis;
  const reply = await redis.read('read the view', async (client) => {
    const pipeline = client.pipeline();
    for (const key of tickets.values()) {
      for (const short of [keys.claimLock('github', key), keys.heartbeat(key)]) {
        pipeline.get(short).pexpiretime(short);
      }
      pipeline.hgetall(keys.ticket(key)).pexpiretime(keys.ticket(key));
    }
    for (const run of runs) {
      pipeline.hgetall(keys.run(run)).pexpiretime(keys.run(run));
    }
    for (const list of LISTS) pipeline.zrange(keysOfList(redis, list), 0, '-1', 'WITHSCORES');
    const { backlog, putOff, ...sets } = keysOfFairUse(redis);
    for (const list of [backlog, putOff]) pipeline.zrange(list, 0, '-1');
    for (const set of Object.values(sets)) pipeline.smembers(set);
    pipeline.hgetall(keys.incarnation).xlen(keys.decisions);
    for (const run of runs) pipeline.get(keys.output(run)).get(keys.result(run));
    return (await pipeline.exec()) ?? [];
  });
  const values = reply.map(([error, value]) => {
    if (error !== null) throw error;
    return value;
  });
  let at = 0;
  const next = (): unknown => values[at++];
  const text = (): string | null => next() as string | null;
  const number = (): number => next() as number;
  const hash = (): Hash => next() as Hash;

  const endless: string[] = [];
  const hashes = new Map<string, Hash>();
  const records: Records = {
    tickets: {},
    runs: {},
    lists: emptyLists(),
    fairUse: noFairUse(),
    locks: {},
    heartbeats: {},
  };
  const mustEnd = (what: string, value: string | null, until: number): void => {
    if (value !== null && until < 0) endless.push(what);
  };
  for (const [name] of tickets) {
    const [lock, lockUntil] = [text(), number()];
    const [heartbeat, beatsUntil] = [text(), number()];
    const [ticket, until] = [hash(), number()];
    mustEnd(`lock of ${name}`, lock, lockUntil);
    mustEnd(`heartbeat of ${name}`, heartbeat, beatsUntil);
    if (lock !== null) records.locks[name] = lock;
    if (heartbeat !== null) records.heartbeats[name] = heartbeat;
    if (Object.keys(ticket).length > 0) records.tickets[name] = ticketEntry(ticket, until > 0);
  }
  const nameOf = (key: string): string => [...tickets].find(([, other]) => other === key)?.[0] ?? key;
  for (const name of runs) {
    const [run, until] = [hash(), number()];
    if (Object.keys(run).length === 0) continue;
    hashes.set(name, run);
    records.runs[name] = runEntry(run, nameOf, until > 0);
  }
  for (const list of LISTS) {
    records.lists[list] = (next() as string[]).filter((_, index) => index % 2 === 0).toSorted();
  }
  for (const list of ['backlog', 'putOff', 'admitted', 'offered', 'aside'] as const) {
    records.fairUse[list] = (next() as string[]).toSorted();
  }
  return {
    records,
    raw: everythingOf(values),
    noted: hash()['since'] !== undefined,
    runOf: (ticket) => runOf(hashes.get(records.tickets[ticket]?.run ?? '') ?? {}),
    endless,
  };
}

/**
 * Without what is not there: a run that has just been given its name has no key yet. In the order of their names, which
 * Redis changes at will in large hashes.
 */
function everythingOf(values: readonly unknown[]): string {
  const MISSING = ['null', '[]', '-2'];
  return values
    .map((value) =>
      JSON.stringify(isHash(value) ? Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)) : value),
    )
    .filter((text) => !MISSING.includes(text))
    .join('\n');
}

function isHash(value: unknown): value is Hash {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function keysOfList({ keys }: Pick<RedisConnection, 'keys'>, list: keyof Records['lists']): string {
  return list === 'unconfirmed' ? keys.unconfirmed : keys.runs(list);
}

function noFairUse(): Records['fairUse'] {
  return { backlog: [], putOff: [], admitted: [], offered: [], aside: [] };
}

function admissionOf({ admittedAtMs }: Pick<Run, 'admittedAtMs'>): RunEntry['admission'] {
  if (admittedAtMs === undefined) return 'none';
  return admittedAtMs === 0 ? 'waiting' : 'admitted';
}

type Counted = 'fence' | 'turn' | 'attempt' | 'attemptFence' | 'interrupted' | 'takes' | 'doubts';

/** The part of a run that a worker's memory and the record have in common. */
export function remembered(
  run: Run,
): Pick<RunEntry, Counted | 'admission'> & Partial<Pick<RunEntry, 'refused' | 'cancel'>> {
  return {
    fence: run.fence,
    turn: run.turn,
    attempt: run.attempt,
    attemptFence: run.attemptFence,
    interrupted: run.interrupted,
    takes: run.takes,
    doubts: run.labelDoubts,
    admission: admissionOf(run),
    ...(run.labelRefusedMs === undefined ? {} : { refused: true }),
    ...(run.cancelRequested === undefined ? {} : { cancel: true }),
  };
}

function ticketEntry(ticket: Hash, expires: boolean): TicketEntry {
  const { run, previous } = ticket;
  return {
    ...(run === undefined ? {} : { run }),
    ...(previous === undefined ? {} : { previous }),
    fence: Number(ticket['fence'] ?? 0),
    starts: (ticket['starts'] ?? '').split(' ').filter((start) => Number(start) > 1).length,
    failures: Number(ticket['failures'] ?? 0),
    backingOff: Number(ticket['backoffUntil'] ?? 0) > 1,
    expires,
  };
}

function runEntry(hash: Hash, nameOf: (key: string) => string, expires: boolean): RunEntry {
  const run = runOf(hash);
  if (run === undefined) throw new Error(`half a run record: ${JSON.stringify(hash)}`);
  return {
    ticket: nameOf(run.ticket),
    state: run.state,
    postponed: Number(hash['postponed'] ?? 0),
    label: run.labelState,
    since: run.sinceMs,
    expires,
    refused: false,
    cancel: false,
    ...remembered(run),
  };
}

function emptyLists(): Record<RunState | 'unconfirmed', string[]> {
  return { received: [], queued: [], running: [], completed: [], failed: [], cancelled: [], unconfirmed: [] };
}
