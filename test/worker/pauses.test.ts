/**
 * Pauses longer than the trust (PROTOCOL 4, 5): the event loop of a worker is blocked right before each of its side
 * effects, and a whole machine sleeps with its worker, its guard and its commands. Others go on meanwhile. Afterwards the
 * tracker's own ledger says who wrote: each process has a token of its own.
 *
 * Protocol time has to pass, so all of it is played at once and judged afterwards.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import type { Run } from '../../src/domain/run.ts';
import { DEFAULT_TIMING } from '../../src/domain/timing.ts';
import type { Ledger } from '../../src/emulators/ledger.ts';
import { openHouse, REPOSITORY, startHub } from '../support/house.ts';
import { useRedis } from '../support/redis.ts';
import { type LedgerLine, openSite, type Site } from '../support/replica.ts';
import { until } from '../support/until.ts';
import { familyOf, isAlive } from './guard/processes.ts';

const HELD_WORKER = fileURLToPath(new URL('../support/programs/held-worker.ts', import.meta.url));
const LONG_MS = 60_000;
/** Slower than elsewhere: nobody may lose trust but by the pauses of this file. */
const SCALE = 0.1;

const redis = useRedis();

/** Where the blocked worker stands, and how many attempts the ticket then takes. */
const ROWS = [
  { step: 'before the label of a start is allowed', holdAt: 'labelling', attempt: 2 },
  { step: 'when the label of a start is allowed and not sent yet', holdAt: 'sending-label', attempt: 2 },
  { step: 'before the end of the run is recorded', holdAt: 'ended', attempt: 2 },
  { step: 'before the label of an end is allowed', holdAt: 'closing', attempt: 1 },
  { step: 'between the label of an end and its comment', holdAt: 'closed', attempt: 1 },
  { step: 'when the comment is allowed and not sent yet', holdAt: 'sending-comment', attempt: 1 },
].map((row, index) => ({ ...row, ticket: String(index + 1) }));
const ASLEEP = String(ROWS.length + 1);

interface Found {
  readonly run: Run | undefined;
  readonly ledger: readonly LedgerLine[];
  readonly labels: readonly string[];
  readonly comments: number;
  /** What the paused process wrote on this ticket after its pause. */
  readonly writtenLate: readonly string[];
}
const found = new Map<string, Found>();
let killedAfterMs = Number.POSITIVE_INFINITY;

/** Everything that a token asked for but reads, with the numbers of the tickets, since a moment. */
function writesOf(
  ledger: Ledger,
  token: string,
  sinceMs: number,
): { readonly ticket: string; readonly what: string }[] {
  return ledger
    .requests({ token })
    .filter(({ method, atMs }) => method !== 'GET' && atMs >= sinceMs)
    .map((request) => ({
      ticket: /\/issues\/(\d+)/.exec(request.path)?.[1] ?? '',
      what: `${request.method} ${request.path}`,
    }));
}

function startHeldWorker(site: Site, token: string): ChildProcessByStdio<Writable, Readable, null> {
  const steps = Object.fromEntries(ROWS.map(({ ticket, holdAt }) => [ticket, holdAt]));
  const worker = spawn(process.execPath, [HELD_WORKER, site.config, redis.url, JSON.stringify(steps), String(SCALE)], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: {
      PATH: process.env.PATH,
      NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE,
      // A worker that is killed leaves the folders of its commands behind.
      TMPDIR: site.dir,
      GITHUB_TOKEN: token,
    },
  });
  onTestFinished(() => void worker.kill('SIGKILL'));
  return worker;
}

/** Whoever has just ended, or was a zombie that its parent takes away now, gets nothing any more. */
function signalAll(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids.filter(isAlive)) {
    try {
      process.kill(pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
}

test('a worker is blocked before each of its side effects, and a machine sleeps, longer than the trust', {
  timeout: 3 * LONG_MS,
}, async () => {
  const hub = await startHub();
  for (const id of ['blocked', 'asleep']) hub.tokens.add(id, { token: `ghp_${id}` });
  const site = await openSite({
    hub,
    redisUrl: redis.url,
    yaml: 'agent: { queue: { max_parallel_jobs: 1 } }',
    work: `if [ "$AGENTSMITH_ATTEMPT" = 1 ]; then case "$TICKET" in 1|2|${ASLEEP}) sleep 300;; esac; fi`,
  });
  const policy = JSON.stringify({ command: [path.join(site.dir, 'pipelines', 'fix-bug.sh')] });
  const house = await openHouse({ redisUrl: redis.url, hub, policy, timing: DEFAULT_TIMING });
  for (const { ticket } of ROWS) {
    hub.openIssue(REPOSITORY, { labels: ['agent-smith'] });
    const request = { project: 'api', ticketId: ticket, trigger: 'poll' } as const;
    expect(await house.claims.claim(request, new AbortController().signal)).toMatchObject({ kind: 'claimed' });
  }
  const blocked = startHeldWorker(site, 'ghp_blocked');
  let said = '';
  blocked.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const arrived = () => ROWS.every(({ ticket, holdAt }) => said.includes(`${ticket} ${holdAt}\n`));
  await until('every ticket has arrived at its step', arrived, LONG_MS);
  const awake = path.join(site.dir, 'awake');
  blocked.stdin.write(`${awake}\n`);
  await until('the worker is blocked', () => said.includes('blocked\n'));

  const asleep = await site.start({ timeScale: SCALE, env: { GITHUB_TOKEN: 'ghp_asleep' } });
  hub.openIssue(REPOSITORY, { labels: ['agent-smith'] });
  const sleeping = await until(
    'the machine has its command',
    async () => (await site.ledger()).find(({ event, ticket }) => event === 'start' && ticket === ASLEEP),
    LONG_MS,
  );
  const started = ['agent-smith', 'agent-smith:in-progress'];
  await until('its label is written', () => String(house.labelsOf(ASLEEP)) === String(started), LONG_MS);
  const machine = familyOf(asleep.pid);
  expect(machine).toContain(sleeping.pid);
  signalAll(machine, 'SIGSTOP');

  await site.start({ timeScale: SCALE });
  const tickets = [...ROWS.map(({ ticket }) => ticket), ASLEEP];
  const isOver = async (ticket: string): Promise<boolean> => {
    const run = await house.runs.ofTicket(house.keyOf(ticket));
    return run?.state === 'completed' && run.labelState === 'confirmed';
  };
  await until(
    'others have brought every ticket to its end',
    async () => (await Promise.all(tickets.map(isOver))).every(Boolean),
    LONG_MS,
  );

  const wokeAtMs = Date.now();
  const wokeAt = performance.now();
  signalAll(machine, 'SIGCONT');
  await writeFile(awake, '');
  await until('the command of the machine is killed', () => !isAlive(sleeping.pid), LONG_MS);
  killedAfterMs = performance.now() - wokeAt;
  await until('the blocked worker has ended what it was at', () => said.includes('quiet\n'), LONG_MS);
  await until('the machine knows that its attempt is not its own', () =>
    asleep.logs.some(({ msg, outcome }) => msg === 'attempt ended' && outcome === 'superseded'),
  );

  for (const ticket of tickets) {
    // What the machine was repairing on other tickets when it fell asleep may have been on its way already.
    const late = writesOf(hub.ledger, ticket === ASLEEP ? 'asleep' : 'blocked', wokeAtMs);
    found.set(ticket, {
      run: await house.runs.ofTicket(house.keyOf(ticket)),
      ledger: (await site.ledger()).filter((line) => line.ticket === ticket),
      labels: house.labelsOf(ticket),
      comments: hub.ledger.comments(`${REPOSITORY}#${ticket}`).length,
      writtenLate: late.filter((write) => write.ticket === ticket).map(({ what }) => what),
    });
  }
});

test.each(ROWS)('blocked $step: nothing is written afterwards, and what others wrote stands', ({ ticket, attempt }) => {
  const seen = found.get(ticket);
  expect(seen).toMatchObject({ comments: 1, writtenLate: [], run: { state: 'completed' } });
  // A machine that is too busy for its trust may have added one more.
  expect(seen?.run?.attempt).toBeGreaterThanOrEqual(attempt);
  expect(seen?.labels).toEqual(['agent-smith', 'agent-smith:done']);
  expect(seen?.ledger.map(({ event }) => event)).not.toContain('overlap');
});

test('a machine that slept kills its command within half a second of waking and writes nothing', () => {
  const seen = found.get(ASLEEP);
  expect(seen).toMatchObject({ comments: 1, writtenLate: [], run: { state: 'completed' } });
  expect(seen?.run?.attempt).toBeGreaterThan(1);
  expect(seen?.labels).toEqual(['agent-smith', 'agent-smith:done']);
  // Half a second of protocol time is a twenty-fifth of this; the rest is for a busy machine.
  expect(killedAfterMs).toBeLessThan(2_000);
});
