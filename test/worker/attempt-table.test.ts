/**
 * PROTOCOL 4, the attempt table: one real worker process holds one ticket at each step, is killed with SIGKILL, and a
 * real replica goes on. What counts is what GitHub and the commands themselves have written down.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import type { Run } from '../../src/domain/run.ts';
import { openHouse, REPOSITORY, startHub, TOKEN } from '../support/house.ts';
import { useRedis } from '../support/redis.ts';
import { type LedgerLine, openSite } from '../support/replica.ts';
import { until } from '../support/until.ts';

const HELD_WORKER = fileURLToPath(new URL('../support/programs/held-worker.ts', import.meta.url));

const redis = useRedis();

/** What was found in the end, by ticket number. */
interface Found {
  readonly run: Run;
  readonly ledger: readonly LedgerLine[];
  readonly labels: readonly string[];
  readonly history: readonly string[];
  readonly comments: number;
}
const found = new Map<string, Found>();

const ROWS = [
  { step: '0 job taken', holdAt: 'taken', lives: 1, attempt: 1, history: ['enqueued', 'in-progress', 'done'] },
  { step: '1 ticket read', holdAt: 'read', lives: 1, attempt: 1, history: ['enqueued', 'in-progress', 'done'] },
  { step: '2 start-attempt', holdAt: 'started', lives: 1, attempt: 2, history: ['enqueued', 'in-progress', 'done'] },
  // From here on the first worker may have written `in-progress`; the run then goes back over `enqueued`.
  { step: '3 runner started', holdAt: 'running', lives: 2, attempt: 2, history: undefined },
  { step: '4 label written', holdAt: 'labelled', lives: 2, attempt: 2, history: undefined },
  { step: '5 runner ended, before finish', holdAt: 'ended', lives: 2, attempt: 2, history: undefined },
  { step: '5 finish', holdAt: 'finished', lives: 1, attempt: 1, history: ['enqueued', 'in-progress', 'done'] },
  { step: '6 label written, before the job completes', holdAt: 'projected', lives: 1, attempt: 1, history: undefined },
].map((row, index) => ({ ...row, ticket: String(index + 1) }));

const ticketAt = (holdAt: string): string => ROWS.find((row) => row.holdAt === holdAt)?.ticket ?? '';

test('a worker that holds a ticket at each step of the attempt table is killed, and a replica goes on', async () => {
  const hub = await startHub();
  const site = await openSite({
    hub,
    redisUrl: redis.url,
    yaml: 'agent: { queue: { max_parallel_jobs: 16 } }',
    work: `if [ "$AGENTSMITH_ATTEMPT" = 1 ]; then case "$TICKET" in ${ticketAt('running')}|${ticketAt('labelled')}) sleep 60;; esac; fi`,
  });
  const policy = JSON.stringify({ command: [path.join(site.dir, 'pipelines', 'fix-bug.sh')] });
  const house = await openHouse({ redisUrl: redis.url, hub, policy });
  for (const { ticket } of ROWS) {
    hub.openIssue(REPOSITORY, { labels: ['agent-smith'] });
    const outcome = await house.claims.claim(
      { project: 'api', ticketId: ticket, trigger: 'poll' },
      new AbortController().signal,
    );
    expect(outcome.kind).toBe('claimed');
  }

  const steps = Object.fromEntries(ROWS.map(({ ticket, holdAt }) => [ticket, holdAt]));
  const worker = spawn(process.execPath, [HELD_WORKER, site.config, redis.url, JSON.stringify(steps)], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      PATH: process.env.PATH,
      NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE,
      // A worker that is killed leaves the folders of its commands behind.
      TMPDIR: site.dir,
      GITHUB_TOKEN: TOKEN,
    },
  });
  onTestFinished(() => void worker.kill('SIGKILL'));
  let said = '';
  worker.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  await until('every ticket has arrived at its step', async () => {
    const started = (await site.ledger()).filter(({ event }) => event === 'start').map(({ ticket }) => ticket);
    const labelled = hub.issue(`${REPOSITORY}#${ticketAt('labelled')}`).labels.includes('agent-smith:in-progress');
    const held = ROWS.filter(({ ticket, holdAt }) => said.includes(`${ticket} ${holdAt}\n`)).length;
    return held === ROWS.length - 2 && started.includes(ticketAt('running')) && labelled;
  });
  worker.kill('SIGKILL');
  await once(worker, 'exit');

  await site.start();
  for (const { ticket } of ROWS) {
    const run = await until(`ticket ${ticket} has ended and its label is read back`, async () => {
      const seen = await house.runs.ofTicket(house.keyOf(ticket));
      return seen?.state === 'completed' && seen.labelState === 'confirmed' ? seen : undefined;
    });
    found.set(ticket, {
      run,
      ledger: (await site.ledger()).filter((line) => line.ticket === ticket),
      labels: house.labelsOf(ticket),
      history: hub.ledger.lifecycleHistory(`${REPOSITORY}#${ticket}`),
      comments: hub.ledger.comments(`${REPOSITORY}#${ticket}`).length,
    });
  }
  expect(await house.queue.depth()).toBe(0);
});

test.each(ROWS)(
  'attempt table, died right after $step: nothing lost, nothing doubled',
  ({ ticket, lives, attempt, history }) => {
    const { run, ledger, labels, comments, history: shown } = found.get(ticket) as Found;
    expect(ledger.filter(({ event }) => event === 'overlap')).toEqual([]);
    expect(ledger.filter(({ event }) => event === 'start')).toHaveLength(lives);
    expect(ledger.at(-1)?.event).toBe('end');
    expect(run.attempt).toBe(attempt);
    expect(run.interrupted).toBe(attempt - 1);
    expect(labels).toEqual(['agent-smith', 'agent-smith:done']);
    expect(comments).toBe(1);
    if (history !== undefined) expect(shown).toEqual(history);
    expect(shown.at(-1)).toBe('done');
  },
);
