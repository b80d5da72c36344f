/**
 * All replicas are replaced one after the other, as Kubernetes does it, while tickets come in on every tracker (PROTOCOL 4,
 * shutdown; 8). Believed are the answers that the trackers got, what they show in the end, and the ledger of the commands.
 */
import { expect, test } from 'vitest';
import type { EmulatedProject } from '../../../src/emulators/emulated-project.ts';
import { sleep } from '../../../src/foundation/loop.ts';
import { eventually, SCENE_MS } from './stage.ts';
import { type Opened, openLabelled, openTown } from './town.ts';

/** No window of the protocol has to pass here, so deliveries get a time to be written that a busy machine can keep to. */
const SCALE = 0.3;
const REPLICAS = 3;
/** Tickets are opened so far apart. */
const APART_MS = 350;
const LONG = 'longer than the grace';
/** Short ones end within the grace on any machine; the long one is only stopped in its first attempt. */
const WORK = `case "$AGENTSMITH_TICKET_TITLE $AGENTSMITH_ATTEMPT" in
  '${LONG} 1') sleep 600 ;;
  *) sleep 0.3 ;;
esac`;
const QUEUE = 'agent: { queue: { max_parallel_jobs: 3, shutdown_grace_seconds: 5, consume_block_seconds: 1 } }';

/** Tickets on all of them in turn, until the signal aborts. */
async function openTickets(projects: readonly EmulatedProject[], signal: AbortSignal): Promise<Opened[]> {
  const opened: Opened[] = [];
  do {
    const project = projects[opened.length % projects.length];
    if (project !== undefined) opened.push(openLabelled(project, `ticket ${opened.length} of the load`));
  } while (await sleep(APART_MS, signal));
  return opened;
}

const withoutNumber = (life: string): string => life.replace(/ \d+$/, '');

test('all replicas are replaced under load: no ticket is lost, none runs twice at once, and no run that could end is stopped', {
  timeout: SCENE_MS,
}, async (context) => {
  const town = await openTown(context, { timeScale: SCALE, work: WORK, yaml: QUEUE });
  const { projects } = town;
  const before = await Promise.all(Array.from({ length: REPLICAS }, () => town.start()));
  const long = projects.slice(0, 1).map((project) => openLabelled(project, LONG));
  await eventually('the long one runs', async () => {
    for (const one of long) town.tellAgainIfRefused(one);
    return (await town.ledger()).length > 0;
  });

  const rolledOut = new AbortController();
  context.onTestFinished(() => rolledOut.abort());
  const load = openTickets(projects, rolledOut.signal);
  for (const [n, old] of before.entries()) {
    // Sometimes the new one is there before the old one goes, sometimes there is one less for a while.
    if (n % 2 === 0) await town.start();
    expect(await old.end('SIGTERM')).toEqual({ code: 0, signal: null });
    if (n % 2 === 1) await town.start();
  }
  rolledOut.abort();
  const short = await load;
  const tickets = [...long, ...short];
  await eventually('every ticket is done', () => {
    for (const one of tickets) town.tellAgainIfRefused(one);
    return tickets.every((one) => town.lifecycleOf(one) === 'done');
  });
  for (const { webhooks } of projects) await webhooks.settled();

  for (const one of long) expect(await town.livesOf(one)).toEqual(['start 1', 'start 2', 'end 2']);
  // Begun once and ended. On a busy machine a turn may be given back before its command begins: that stops nothing.
  const lives = await Promise.all(short.map(async (one) => [one.title, (await town.livesOf(one)).map(withoutNumber)]));
  expect(lives).toEqual(short.map(({ title }) => [title, ['start', 'end']]));
  const answers = projects.flatMap(({ webhooks }) => webhooks.attempts().map(({ status }) => status));
  expect(answers.length).toBeGreaterThan(short.length);
  expect(answers.filter((status) => status === undefined || ![200, 202, 503].includes(status))).toEqual([]);
  // Handed over by those who left, not found dead by those who stayed.
  const repairs = town.replicas.flatMap(({ logs }) => logs.filter(({ msg }) => msg === 'repaired'));
  expect(repairs.filter(({ kind }) => kind !== 'label-repair')).toEqual([]);
});
