/**
 * Workers that are stopped past their trust, replaced and resumed, again and again, several at a time. What is counted is
 * what outsiders saw: the witness, whether a stopped worker's command was still there when its successor began; the
 * tracker's ledger, whether the worker's own token wrote on the ticket after it was resumed, when its fence had failed.
 *
 *   at work --SIGSTOP--> its commands die --> successors start and end, tickets done --SIGCONT--> it learns, writes nothing
 *
 * Every second time they are stopped as soon as the last command has begun: then a worker has read a ticket, was allowed
 * to label it, and has not done so yet.
 */
import { DEFAULT_TIMING, scaleTiming } from '../../src/domain/timing.ts';
import type { LedgerEntry } from '../../src/emulators/ledger.ts';
import { sleep } from '../../src/foundation/loop.ts';
import { until } from '../support/until.ts';
import { findServer } from './redis-server.ts';
import type { Replica } from './replica.ts';
import { openTown, type Town } from './stopped-workers-town.ts';

export interface StoppedWorkersOptions {
  /** Workers to stop. */
  readonly times: number;
  /** Factor on the protocol's durations. */
  readonly scale: number;
  readonly report: (text: string) => void;
}

export interface StoppedWorkersResult {
  /** Workers that were stopped with commands at work, and their tickets. */
  readonly times: number;
  readonly tickets: number;
  /** Tickets whose next command began while the stopped worker's was there, frozen or not. */
  readonly overlapping: number;
  /** Requests but reads, by a resumed worker about a ticket that it had lost. */
  readonly writesAfterwards: number;
  readonly crashes: readonly string[];
}

const REPLICAS = 6;
const SLOTS = 3;
/** Commands at work when workers are stopped; all of them fit into the slots of those that are not. */
const AT_WORK = 8;
const MOST_AT_ONCE = 3;
/** As long as setTimeout can wait: until it is killed. */
const FOR_EVER_MS = 2 ** 31 - 1;
const SHORT_MS = 200;
const PATIENCE_MS = 120_000;

interface Ticket {
  readonly number: number;
  readonly page: string;
}

export async function stoppedWorkers({ times, scale, report }: StoppedWorkersOptions): Promise<StoppedWorkersResult> {
  const timing = scaleTiming(DEFAULT_TIMING, scale);
  const crashes: string[] = [];
  const begun = new Set<string>();
  const town = await openTown({
    server: await findServer(report),
    scale,
    replicas: REPLICAS,
    slots: SLOTS,
    workOf: (page) => {
      const isFirst = !begun.has(page);
      begun.add(page);
      return { ms: isFirst ? FOR_EVER_MS : SHORT_MS, code: 0 };
    },
    onCrash: (how) => void crashes.push(how),
  });
  // A slow tracker: between a command's begin and its label there is time to be stopped.
  town.hub.faults.inject(
    { method: 'GET', path: /\/issues\/\d+$/ },
    { kind: 'latency', delayMs: timing.claimCallMs / 2 },
  );
  /** Tickets that each token has lost. */
  const lost = new Map<string, Set<number>>();
  const late: string[] = [];
  const unsubscribe = town.hub.ledger.subscribe((entry) => {
    if (isLate(entry, lost)) late.push(entry.path);
  });
  const judged: Ticket[] = [];
  let waiting: Ticket[] = [];
  let stopped = 0;

  try {
    while (stopped < times) {
      waiting = waiting.filter(({ page }) => workerOf(town, page) !== undefined);
      while (waiting.length < AT_WORK) waiting.push(town.openTicket());
      const early = judged.length % 2 === 0;
      await until(
        'all tickets are at work',
        () =>
          waiting.every(
            ({ page, number }) => workerOf(town, page) !== undefined && (early || isLabelled(town, number)),
          ),
        PATIENCE_MS,
      );

      const victims = pickVictims(town, waiting, times - stopped);
      const taken = waiting.filter(({ page }) => victims.some(({ name }) => name === workerOf(town, page)));
      const owners = new Map(taken.map((ticket) => [ticket, workerOf(town, ticket.page) ?? '']));
      const resumes = victims.map((victim) => victim.pause('process'));
      await until('successors have done the tickets', () => taken.every((ticket) => isDone(town, ticket)), PATIENCE_MS);

      for (const [{ number }, owner] of owners) lost.set(owner, (lost.get(owner) ?? new Set()).add(number));
      for (const resume of resumes) resume();
      await Promise.all(
        victims.map((victim) => until('it has learnt', () => isIdle(victim, waiting, town), PATIENCE_MS)),
      );
      judged.push(...taken);
      stopped += victims.length;
      report(`${stopped} of ${times} workers stopped and resumed, ${judged.length} tickets taken over`);
    }
    // What somebody might still write late is given the time to.
    await sleep(2 * timing.trustTermMs, new AbortController().signal);
  } finally {
    unsubscribe();
    await town.close();
  }
  const overlapping = judged.filter((ticket) => overlapped(town, ticket)).length;
  return { times: stopped, tickets: judged.length, overlapping, writesAfterwards: late.length, crashes };
}

/** The last line, for people and for grep. */
export function describeStoppedWorkers({ times, overlapping, writesAfterwards }: StoppedWorkersResult): string {
  return `stopped-workers: ${times} times, ${overlapping} overlapping, ${writesAfterwards} writes afterwards`;
}

export function isGoodStoppedWorkers(result: StoppedWorkersResult): boolean {
  return result.overlapping === 0 && result.writesAfterwards === 0 && result.crashes.length === 0;
}

/** The replica whose command is on the witness' line now. */
function workerOf({ chronicle }: Town, page: string): string | undefined {
  const last = chronicle.of(page).findLast(({ kind }) => kind === 'started' || kind === 'ended' || kind === 'gone');
  return last?.kind === 'started' ? last.replica : undefined;
}

const isLabelled = (town: Town, number: number): boolean => labelsOf(town, number).includes('agent-smith:in-progress');

function isDone(town: Town, { number }: Ticket): boolean {
  const { comments } = town.hub.issue(nameOf(number));
  return labelsOf(town, number).includes('agent-smith:done') && comments.length > 0;
}

const nameOf = (number: number): string => `org/api#${number}`;
const labelsOf = ({ hub }: Town, number: number): readonly string[] => hub.issue(nameOf(number)).labels;

/** Those whose commands have begun last. */
function pickVictims(town: Town, atWork: readonly Ticket[], most: number): Replica[] {
  const begunAt = ({ name }: Replica): number =>
    Math.max(
      0,
      ...atWork
        .filter(({ page }) => workerOf(town, page) === name)
        .map(({ page }) => town.chronicle.of(page).at(-1)?.seq ?? 0),
    );
  return town.replicas
    .filter((replica) => begunAt(replica) > 0)
    .toSorted((a, b) => begunAt(b) - begunAt(a))
    .slice(0, Math.min(MOST_AT_ONCE, most));
}

/** Whether a resumed worker is at work on nothing but what its commands on the line are. */
async function isIdle(replica: Replica, waiting: readonly Ticket[], town: Town): Promise<boolean> {
  const port = replica.port();
  if (port === undefined) return false;
  const answer = await fetch(`http://127.0.0.1:${port}/health`, { signal: AbortSignal.timeout(5_000) }).catch(
    () => undefined,
  );
  if (answer === undefined) return false;
  const { active_runs: active } = (await answer.json()) as { readonly active_runs: number };
  return active <= waiting.filter(({ page }) => workerOf(town, page) === replica.name).length;
}

function isLate(
  entry: LedgerEntry,
  lost: ReadonlyMap<string, ReadonlySet<number>>,
): entry is LedgerEntry & { path: string } {
  if (entry.kind !== 'request' || entry.method === 'GET' || entry.token === undefined) return false;
  const number = Number(/\/issues\/(\d+)/.exec(entry.path)?.[1]);
  return lost.get(entry.token)?.has(number) === true;
}

/** A command of the ticket was still on the line when another one began. */
function overlapped({ chronicle }: Town, { page }: Ticket): boolean {
  return chronicle.of(page).some(({ kind }) => kind === 'overlap' || kind === 'beside-frozen');
}
