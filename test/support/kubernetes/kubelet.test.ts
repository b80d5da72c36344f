/** Whether the kubelet of the tests notices what it is there to notice: on servers that play containers, in short times. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { freePort } from '../../../src/redis/embedded/free-port.ts';
import { until } from '../until.ts';
import { createDeployment, type Deployment } from './deployment.ts';
import type { DeploymentPlan, ProbePlan } from './deployment-plan.ts';
import { openIngress } from './ingress.ts';
import type { Container, Pod } from './kubelet.ts';

const probe = (path: string): ProbePlan => ({ path, periodMs: 5, timeoutMs: 2_000, successes: 1, failures: 3 });
const PLAN: DeploymentPlan = {
  startup: probe('/health'),
  liveness: probe('/health'),
  readiness: probe('/health/ready'),
  graceMs: 60_000,
  replicas: 2,
  maxSurge: 1,
  maxUnavailable: 0,
  endpointLagMs: 1,
};

interface Played extends Container {
  healthy: boolean;
  ready: boolean;
  /** Whether it ends when it is told to. */
  obedient: boolean;
}

/** A deployment of servers that are well, unless `prepare` says otherwise of the one with this number. */
async function stage(
  plan: Partial<DeploymentPlan> = {},
  prepare: (container: Played, number: number) => void = () => undefined,
) {
  const played: Played[] = [];
  const over = new AbortController();
  let endpoints: readonly Pod[] = [];
  const start = async (): Promise<Container> => {
    const server = createServer(({ url }, answer) => {
      const isWell = url === '/health' ? container.healthy : container.ready;
      answer.writeHead(isWell ? 200 : 503).end();
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    const container: Played = {
      port: (server.address() as AddressInfo).port,
      healthy: true,
      ready: true,
      obedient: true,
      ended: once(server, 'close'),
      signal: (signal) => {
        if (signal === 'SIGTERM' && !container.obedient) return;
        server.close();
        server.closeAllConnections();
      },
    };
    prepare(container, played.push(container));
    return container;
  };
  onTestFinished(() => over.abort());
  const deployment = createDeployment({
    plan: { ...PLAN, ...plan },
    start,
    onEndpoints: (pods) => {
      endpoints = pods;
    },
    signal: over.signal,
  });
  return { deployment, played, endpoints: () => endpoints };
}

const historiesOf = ({ pods }: Deployment) => pods.map(({ history }) => history.join());

test('kubelet: who does not start up, or lives no more, is started again; who is only not ready is left alone', async () => {
  const { deployment, played, endpoints } = await stage({}, (container, number) => {
    if (number === 1) container.healthy = false;
  });
  await deployment.scaleUp();
  const [, second, third] = played;
  if (second === undefined || third === undefined) throw new Error('the first one has no successor');
  second.ready = false;
  await until('requests go to one', () => endpoints().length === 1);
  second.ready = true;
  await until('and to both again', () => endpoints().length === 2);
  third.healthy = false;
  await until('another one is in its place', () =>
    historiesOf(deployment)[0]?.endsWith('not ready,ended,started,ready'),
  );
  expect(historiesOf(deployment)).toEqual([
    'started,unstarted,ended,started,ready,unhealthy,not ready,ended,started,ready',
    'started,ready,not ready,ready',
  ]);
});

test('kubelet: who is deleted gets no more requests, whatever it says, is asked on, and is killed when its grace is over', async () => {
  const { deployment, played, endpoints } = await stage({ graceMs: 2_000 });
  await deployment.scaleUp();
  const [pod] = deployment.pods;
  const [container] = played;
  if (pod === undefined || container === undefined) throw new Error('no pod');
  container.obedient = false;
  container.healthy = false;
  const gone = pod.delete();
  await until('requests go to the other one', () => !endpoints().includes(pod));
  expect(pod.ready).toBe(true);
  container.ready = false;
  await until('it is heard that it is not ready', () => !pod.ready);
  await gone;
  expect(pod.history).toEqual(['started', 'ready', 'terminating', 'not ready', 'killed', 'ended']);
});

test('rollout: an old pod goes when a new one is ready, so one that never gets ready stops it', async () => {
  const { deployment, played, endpoints } = await stage({}, (container, number) => {
    if (number === 3) container.ready = false;
  });
  await deployment.scaleUp();
  const old = [...deployment.pods];
  const rollOut = deployment.rollOut();
  const third = await until('a new one is there', () => played[2]);
  await until('it has started', () => deployment.pods[2]?.history.length === 1);
  expect(historiesOf(deployment)).toEqual(['started,ready', 'started,ready', 'started']);
  third.ready = true;
  await rollOut;
  expect(endpoints()).toEqual(deployment.pods.filter((pod) => !old.includes(pod)));
  expect(historiesOf(deployment).map((history) => history.includes('terminating,'))).toEqual([
    true,
    true,
    false,
    false,
  ]);
});

test('ingress: 503 of its own while there is nobody, each in turn, and whoever does not answer is remembered', async () => {
  const { deployment, played } = await stage();
  await deployment.scaleUp();
  const ports = played.map(({ port }) => port);
  const ingress = await openIngress();
  onTestFinished(() => ingress.close());
  const get = async (): Promise<number> => (await fetch(ingress.origin, { headers: { connection: 'close' } })).status;
  expect(await get()).toBe(503);
  ingress.setEndpoints(ports);
  expect([await get(), await get()]).toEqual([200, 200]);
  expect(ingress.served).toEqual(new Set(ports));
  const shut = await freePort();
  ingress.setEndpoints([...ports, shut]);
  const answers = [await get(), await get(), await get()];
  expect(answers.filter((status) => status !== 200)).toEqual([502]);
  expect(ingress.unanswered).toEqual([`${shut} ECONNREFUSED`]);
  ingress.setEndpoints(ports);
  expect([await get(), await get()]).toEqual([200, 200]);
});
