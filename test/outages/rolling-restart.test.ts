/**
 * All replicas are replaced, as Kubernetes does it by the numbers of the chart, while tickets come in on every tracker; at
 * first Redis is away, too (PROTOCOL 4, shutdown; 8). Believed are the answers that the trackers got, what they show in the
 * end, the ledger of the commands, and what kubelet and Ingress saw.
 */
import { once } from 'node:events';
import { expect, test } from 'vitest';
import type { EmulatedProject } from '../../src/emulators/emulated-project.ts';
import { sleep } from '../../src/foundation/loop.ts';
import { helmIsHere } from '../helm/helm.ts';
import { planOfChart } from '../support/kubernetes/deployment-plan.ts';
import type { Pod } from '../support/kubernetes/kubelet.ts';
import { eventually, SCENE_MS } from './stage.ts';
import { type Opened, openLabelled, openTown, type Town } from './town.ts';

/** No window of the protocol has to pass here, so deliveries get a time to be written that a busy machine can keep to. */
const SCALE = 0.3;
const REPLICAS = 3;
/** In real time, as people would write it. */
const GRACE_SECONDS = 15;
/** Tickets are opened so far apart. */
const APART_MS = 350;
/** Looks of somebody who wants to see all that a replica says in its last seconds. */
const LOOK_MS = 40;
const LONG = 'longer than the grace';
/** Short ones end within the grace on any machine; the long one is only stopped in its first attempt. */
const WORK = `case "$AGENTSMITH_TICKET_TITLE $AGENTSMITH_ATTEMPT" in
  '${LONG} 1') sleep 600 ;;
  *) sleep 0.3 ;;
esac`;
const agent = (graceSeconds: number) => ({
  queue: { max_parallel_jobs: 3, shutdown_grace_seconds: graceSeconds, consume_block_seconds: 1 },
});

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

const answerOf = async ({ container }: Pod, path: string): Promise<number | 'nobody'> => {
  const asked = fetch(`http://127.0.0.1:${container.port}${path}`, { headers: { connection: 'close' } });
  return await asked.then(
    ({ status }) => status,
    () => 'nobody',
  );
};

/** What a pod says of its readiness from its deletion on until nobody answers, each answer once. */
async function lastWords(pod: Pod): Promise<(number | 'nobody')[]> {
  const said: (number | 'nobody')[] = [];
  await once(pod.deleted, 'abort');
  while (said.at(-1) !== 'nobody') {
    const answer = await answerOf(pod, '/health/ready');
    if (answer !== said.at(-1)) said.push(answer);
    await sleep(LOOK_MS, new AbortController().signal);
  }
  return said;
}

/** It is back when no pod is ready any more, the one that is just being started among them; resolves with what /health of the others says meanwhile. */
async function takeRedisAway({ redis, deployment }: Town, from: readonly Pod[]): Promise<(number | 'nobody')[]> {
  await redis.kill('SIGSTOP');
  await eventually('no pod is ready', () => deployment.pods.every(({ ready }) => !ready));
  const answers = await Promise.all(from.map((pod) => answerOf(pod, '/health')));
  await redis.kill('SIGCONT');
  return answers;
}

test.skipIf(!helmIsHere)(
  'all replicas are replaced under load: no ticket is lost, none runs twice at once, and no run that could end is stopped',
  { timeout: SCENE_MS },
  async (context) => {
    const values = { replicas: REPLICAS, config: { projects: {}, agent: agent(GRACE_SECONDS) } };
    const plan = await planOfChart(values, SCALE);
    const yaml = `agent: ${JSON.stringify(agent(GRACE_SECONDS * SCALE))}`;
    const town = await openTown(context, { timeScale: SCALE, work: WORK, yaml, plan });
    const { projects, deployment, ingress } = town;
    const old = [...deployment.pods];
    const farewells = Promise.all(old.map(lastWords));
    const long = projects.slice(0, 1).map((project) => openLabelled(project, LONG));
    await eventually('the long one runs', async () => {
      for (const one of long) town.tellAgainIfRefused(one);
      return (await town.ledger()).length > 0;
    });

    const rolledOut = new AbortController();
    context.onTestFinished(() => rolledOut.abort());
    const T0 = performance.now(); const rollOut = deployment.rollOut();
    const alive = takeRedisAway(town, old);
    const load = openTickets(projects, rolledOut.signal);
    expect(await alive).toEqual(old.map(() => 200));
    console.log('thaw', performance.now() - T0);
    await rollOut; console.log('rolled', performance.now() - T0);
    rolledOut.abort();
    const short = await load;
    const tickets = [...long, ...short];
    await eventually('every ticket is done', () => {
      for (const one of tickets) town.tellAgainIfRefused(one);
      return tickets.every((one) => town.lifecycleOf(one) === 'done');
    }).catch(async (e) => { for (const one of tickets) if (town.lifecycleOf(one) !== 'done') console.log(one.project.platform, one.title, town.lifecycleOf(one), await town.livesOf(one), JSON.stringify(one.project.ticket(one.ticket)), JSON.stringify(one.project.webhooks.attempts().filter((a) => a.delivery.body.includes(`"${one.title}"`)).map((a) => [a.delivery.event, a.status, a.atMs, a.body, a.delivery.body.match(/"action":"[a-z]*"/)?.[0]])));
     console.log(JSON.stringify(town.replicas.map((r) => r.logs), null, 1)); console.log(JSON.stringify({ h: deployment.pods.map((p) => p.history)})); throw e; });
    for (const { webhooks } of projects) await webhooks.settled();

    for (const one of long) expect(await town.livesOf(one)).toEqual(['start 1', 'start 2', 'end 2']);
    // Begun once and ended. On a busy machine a turn may be given back before its command begins: that stops nothing.
    const lives = await Promise.all(
      short.map(async (one) => [one.title, (await town.livesOf(one)).map(withoutNumber)]),
    );
    expect(lives).toEqual(short.map(({ title }) => [title, ['start', 'end']]));
    // No pod had shut its door or cut a connection while the Ingress still sent to it.
    expect(ingress.unanswered).toEqual([]);
    const answers = projects.flatMap(({ webhooks }) => webhooks.attempts().map(({ status }) => status));
    expect(answers.length).toBeGreaterThan(short.length);
    expect(answers.filter((status) => status === undefined || ![200, 202, 503].includes(status))).toEqual([]);
    // Handed over by those who left, not found dead by those who stayed.
    const repairs = town.replicas.flatMap(({ logs }) => logs.filter(({ msg }) => msg === 'repaired'));
    expect(repairs.filter(({ kind }) => kind !== 'label-repair')).toEqual([]);
    console.log(JSON.stringify({ h: deployment.pods.map((p) => p.history), f: await farewells, n: short.length, answers }));
  },
);
