/**
 * All replicas are replaced, as Kubernetes does it by the numbers of the chart, while tickets come in on every tracker; at
 * first Redis is away, too (PROTOCOL 4, shutdown; 8). Believed are the answers that the trackers got, what they show in the
 * end, the ledger of the commands, and what kubelet and Ingress saw.
 */
import { once } from 'node:events';
import { expect, test } from 'vitest';
import type { EmulatedProject } from '../../../src/emulators/emulated-project.ts';
import { sleep } from '../../../src/foundation/loop.ts';
import { helmIsHere } from '../../helm/helm.ts';
import { planOfChart } from '../../support/kubernetes/deployment-plan.ts';
import type { Pod } from '../../support/kubernetes/kubelet.ts';
import { eventually, SCENE_MS } from './stage.ts';
import { type Opened, openLabelled, openTown, type Town } from './town.ts';

/** No window of the protocol has to pass here, so deliveries get a time to be written that a busy machine can keep to. */
const SCALE = 0.3;
const REPLICAS = 3;
/** As in the configuration of somebody for whom time goes at its usual pace. */
const GRACE_SECONDS = 15;
/** Tickets are opened so far apart. */
const APART_MS = 450;
/** Between two looks of somebody who wants to hear all that a replica says at its end. */
const LOOK_MS = 40;
const LONG = 'longer than the grace';
/** Short ones end within the grace on any machine; the long one is only stopped in its first attempt. */
const WORK = `case "$AGENTSMITH_TICKET_TITLE $AGENTSMITH_ATTEMPT" in
  '${LONG} 1') sleep 600 ;;
  *) sleep 0.3 ;;
esac`;

type Answer = number | 'nobody';

/** Named in seconds, which are no part of the protocol: they are as long as they are said to be. */
const agentWith = (graceSeconds: number) => ({
  queue: { max_parallel_jobs: 3, shutdown_grace_seconds: graceSeconds, consume_block_seconds: 1 },
});
const withoutNumber = (life: string): string => life.replace(/ \d+$/, '');
const portOf = ({ container }: Pod): number => container.port;

/** Tickets on all of them in turn, until the signal aborts. */
async function openTickets(projects: readonly EmulatedProject[], signal: AbortSignal): Promise<Opened[]> {
  const opened: Opened[] = [];
  do {
    const project = projects[opened.length % projects.length];
    if (project !== undefined) opened.push(openLabelled(project, `ticket ${opened.length} of the load`));
  } while (await sleep(APART_MS, signal));
  return opened;
}

/** Gives it back when no pod is ready any more, not even the one that is being started; what `/health` of these says meanwhile. */
async function takeRedisAway({ redis, deployment }: Town, from: readonly Pod[]): Promise<Answer[]> {
  await redis.kill('SIGSTOP');
  await eventually('no pod is ready', () => deployment.pods.every(({ ready }) => !ready));
  const answers = await Promise.all(from.map((pod) => answerOf(pod, '/health')));
  await redis.kill('SIGCONT');
  return answers;
}

/** What a pod says of its readiness from its deletion until nobody answers, each answer once. */
async function lastWords(pod: Pod): Promise<Answer[]> {
  const said: Answer[] = [];
  await once(pod.deleted, 'abort');
  while (said.at(-1) !== 'nobody') {
    const answer = await answerOf(pod, '/health/ready');
    if (answer !== said.at(-1)) said.push(answer);
    await sleep(LOOK_MS, new AbortController().signal);
  }
  return said;
}

function answerOf(pod: Pod, path: string): Promise<Answer> {
  return fetch(`http://127.0.0.1:${portOf(pod)}${path}`, { headers: { connection: 'close' } }).then(
    async (answer) => await answer.text().then(() => answer.status),
    () => 'nobody',
  );
}

test.skipIf(!helmIsHere)(
  'a rolling update as Kubernetes does it, under load and with Redis away: deliveries are taken or answered 503, no ticket is lost, none runs twice at once, no run that could end is stopped, and no probe restarts a pod',
  { timeout: SCENE_MS },
  async (context) => {
    const values = { replicas: REPLICAS, config: { projects: {}, agent: agentWith(GRACE_SECONDS) } };
    const plan = await planOfChart(values, SCALE);
    const yaml = `agent: ${JSON.stringify(agentWith(GRACE_SECONDS * SCALE))}`;
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
    const rollOut = deployment.rollOut();
    const alive = takeRedisAway(town, old);
    const load = openTickets(projects, rolledOut.signal);
    expect(await alive).toEqual(old.map(() => 200));
    await rollOut;
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
    const lives = await Promise.all(
      short.map(async (one) => [one.title, (await town.livesOf(one)).map(withoutNumber)]),
    );
    expect(lives).toEqual(short.map(({ title }) => [title, ['start', 'end']]));
    // Handed over by those who left, not found dead by those who stayed.
    const repairs = town.replicas.flatMap(({ logs }) => logs.filter(({ msg }) => msg === 'repaired'));
    expect(repairs.filter(({ kind }) => kind !== 'label-repair')).toEqual([]);

    // Nobody that the Ingress sent to had shut its door, or cut a connection and left open what became of its delivery.
    expect(ingress.unanswered).toEqual([]);
    const answers = projects.flatMap(({ webhooks }) => webhooks.attempts().map(({ status }) => status));
    expect(new Set(answers)).toEqual(new Set([200, 202, 503]));
    expect(answers.length).toBeGreaterThan(short.length);
    expect(deployment.pods.map(portOf).filter((port) => !ingress.served.has(port))).toEqual([]);
    // Not ready first, and a shut door only then.
    expect((await farewells).map((said) => said.slice(-2))).toEqual(old.map(() => [503, 'nobody']));
    // Neither restarted nor killed.
    const histories = deployment.pods.map(({ history }) => history.filter((event) => !event.endsWith('ready')));
    const [gone, there] = [['started', 'terminating', 'ended'], ['started']];
    expect(histories).toEqual(deployment.pods.map((pod) => (old.includes(pod) ? gone : there)));
    expect(town.replicas.slice(0, REPLICAS).map(({ process }) => process.exitCode)).toEqual(old.map(() => 0));
  },
);
