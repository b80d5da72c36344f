/** What the emulated cluster does as a real one, asked by plain HTTP; what the client library makes of it is in the runner's tests. */
import { expect, onTestFinished, test } from 'vitest';
import {
  createKubernetesEmulator,
  type KubernetesEmulator,
  type KubernetesEmulatorOptions,
} from '../../../src/emulators/kubernetes/kubernetes-emulator.ts';
import { until } from '../../support/until.ts';

type Body = Record<string, unknown>;

const JOBS = '/apis/batch/v1/namespaces/agents/jobs';

async function open(options: KubernetesEmulatorOptions = {}) {
  const cluster = createKubernetesEmulator(options);
  await cluster.start();
  onTestFinished(() => cluster.close());
  return { cluster, ask: asker(cluster) };
}

function asker(cluster: KubernetesEmulator) {
  return async (method: string, path: string, body?: unknown, type = 'application/json') => {
    const answer = await fetch(`${cluster.url}${path}`, {
      method,
      headers: { authorization: 'Bearer cluster-token', 'content-type': type },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    return { code: answer.status, body: (await answer.json()) as Body };
  };
}

function job(name: string, spec: Body = {}) {
  const template = { spec: { restartPolicy: 'Never', containers: [{ name: 'work', image: 'x' }] } };
  return { apiVersion: 'batch/v1', kind: 'Job', metadata: { name }, spec: { backoffLimit: 0, template, ...spec } };
}

const metadata = (body: Body) => body['metadata'] as Record<string, string>;
const MERGE = 'application/merge-patch+json';

/** The events of a watch until it ends, or `most` of them came. */
async function watch(cluster: KubernetesEmulator, query: string, most: number) {
  const ending = new AbortController();
  const answer = await fetch(`${cluster.url}${JOBS}?watch=true&${query}`, {
    headers: { authorization: 'Bearer cluster-token' },
    signal: ending.signal,
  });
  const events: { type: string; object: Body }[] = [];
  let text = '';
  for await (const chunk of answer.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += chunk;
    const lines = text.split('\n');
    text = lines.pop() ?? '';
    for (const line of lines) events.push(JSON.parse(line) as (typeof events)[number]);
    if (events.length >= most) break;
  }
  ending.abort();
  return events;
}

test('a name is taken once, and a change needs the version that was seen', async () => {
  const { ask } = await open();
  const made = await ask('POST', JOBS, job('a', { suspend: true }));
  expect(made.code).toBe(201);
  expect(await ask('POST', JOBS, job('a'))).toMatchObject({ code: 409, body: { reason: 'AlreadyExists' } });
  await until('it is seen to be suspended', async () => {
    const { body } = await ask('GET', `${JOBS}/a`);
    return metadata(body)['resourceVersion'] !== metadata(made.body)['resourceVersion'];
  });
  const stale = { metadata: { resourceVersion: metadata(made.body)['resourceVersion'], annotations: { x: 'y' } } };
  expect(await ask('PATCH', `${JOBS}/a`, stale, MERGE)).toMatchObject({ code: 409, body: { reason: 'Conflict' } });
  const { body } = await ask('GET', `${JOBS}/a`);
  const fresh = { metadata: { resourceVersion: metadata(body)['resourceVersion'], annotations: { x: 'y' } } };
  expect(await ask('PATCH', `${JOBS}/a`, fresh, MERGE)).toMatchObject({ code: 200 });
});

test.each([
  ['uid', 'UID in precondition'],
  ['resourceVersion', 'ResourceVersion in precondition'],
])('a delete with another %s is refused', async (field, words) => {
  const { ask } = await open();
  await ask('POST', JOBS, job('a', { suspend: true }));
  const refused = await ask('DELETE', `${JOBS}/a`, {
    preconditions: { [field]: '1' },
    propagationPolicy: 'Foreground',
  });
  expect(refused).toMatchObject({ code: 409, body: { reason: 'Conflict', message: expect.stringContaining(words) } });
});

test('foreground: the Job is there until its pods are gone; background: it goes first; without a word its pods stay', async () => {
  const { cluster, ask } = await open();
  await ask('POST', JOBS, job('front'));
  await until('its pod runs', () => cluster.podsStarted.length === 1);
  cluster.endPods(false);
  await ask('DELETE', `${JOBS}/front`, { propagationPolicy: 'Foreground' });
  await until('its pod is being ended', () => cluster.pods()[0]?.metadata.deletionTimestamp !== undefined);
  expect(cluster.jobs()[0]?.metadata.deletionTimestamp).toBeDefined();
  cluster.endPods(true);
  await until('both are gone', () => cluster.jobs().length + cluster.pods().length === 0);

  await ask('POST', JOBS, job('back'));
  await until('its pod runs', () => cluster.podsStarted.length === 2);
  cluster.endPods(false);
  await ask('DELETE', `${JOBS}/back`, { propagationPolicy: 'Background' });
  expect([cluster.jobs().length, cluster.pods().length]).toEqual([0, 1]);
  cluster.endPods(true);
  await until('garbage is collected', () => cluster.pods().length === 0);

  await ask('POST', JOBS, job('left'));
  await until('its pod runs', () => cluster.podsStarted.length === 3);
  await ask('DELETE', `${JOBS}/left`);
  expect(cluster.pods()[0]?.metadata.ownerReferences).toBeUndefined();
});

test('a watch goes on from a version: what came after it, in order, and a bookmark', async () => {
  const { cluster, ask } = await open();
  await ask('POST', JOBS, job('before', { suspend: true }));
  const { body } = await ask('GET', JOBS);
  const from = metadata(body)['resourceVersion'];
  await ask('POST', JOBS, job('after', { suspend: true }));
  await until('it is seen to be suspended', () => cluster.jobs()[0]?.status.conditions?.[0]?.type === 'Suspended');
  await ask('DELETE', `${JOBS}/after`, { propagationPolicy: 'Background' });
  const following = watch(
    cluster,
    `resourceVersion=${from}&allowWatchBookmarks=true&fieldSelector=metadata.name%3Dafter`,
    4,
  );
  await until('it is open', () => cluster.watches() === 1);
  cluster.sendBookmarks();
  const events = await following;
  expect(events.map(({ type }) => type)).toEqual(['ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK']);
});

test('what has been compacted is expired: the watch says so, and ends', async () => {
  const { cluster, ask } = await open();
  const { body } = await ask('GET', JOBS);
  await ask('POST', JOBS, job('a', { suspend: true }));
  cluster.compact();
  const events = await watch(cluster, `resourceVersion=${metadata(body)['resourceVersion']}`, 9);
  expect(events).toMatchObject([{ type: 'ERROR', object: { code: 410, reason: 'Expired' } }]);
});

test('a server ends a watch when its time is up', async () => {
  const { cluster } = await open();
  expect(await watch(cluster, 'timeoutSeconds=1', 9)).toEqual([]);
});

test('a suspended Job has no pod; one that is suspended later loses it', async () => {
  const { cluster, ask } = await open();
  await ask('POST', JOBS, job('a', { suspend: true }));
  expect(cluster.pods()).toEqual([]);
  await ask('PATCH', `${JOBS}/a`, { spec: { suspend: false } }, MERGE);
  await until('its pod runs', () => cluster.podsStarted.length === 1);
  cluster.suspendJob('a', true);
  await until('its pod is gone', () => cluster.pods().length === 0);
  expect(cluster.jobs()[0]?.status.startTime).toBeUndefined();
});

test('a pod that somebody deletes has failed its Job, where nothing may be tried again', async () => {
  const { cluster, ask } = await open();
  await ask('POST', JOBS, job('a'));
  await until('its pod runs', () => cluster.podsStarted.length === 1);
  const { name } = cluster.pod();
  await ask('DELETE', `/api/v1/namespaces/agents/pods/${name}`);
  await until('the Job has failed', () =>
    cluster
      .jobs()[0]
      ?.status.conditions?.some(({ type, reason }) => type === 'Failed' && reason === 'BackoffLimitExceeded'),
  );
});

test('what a Job is made of cannot be changed', async () => {
  const { ask } = await open();
  await ask('POST', JOBS, job('a', { suspend: true }));
  const template = { spec: { containers: [{ name: 'work', image: 'another' }] } };
  const refused = await ask('PATCH', `${JOBS}/a`, { spec: { template } }, MERGE);
  expect(refused).toMatchObject({ code: 422, body: { message: expect.stringContaining('field is immutable') } });
});

test.each([
  ['a name in capitals', { ...job('Job') }, 'metadata.name'],
  ['a label that is none', { ...job('a'), metadata: { name: 'a', labels: { x: 'a b' } } }, 'metadata.labels'],
  [
    'a pod that is started again',
    job('a', { template: { spec: { restartPolicy: 'Always', containers: [{ name: 'w', image: 'x' }] } } }),
    'restartPolicy',
  ],
  [
    'no container',
    job('a', { template: { spec: { restartPolicy: 'Never', containers: [] } } }),
    'containers: Required',
  ],
  ['half a second', job('a', { activeDeadlineSeconds: 1.5 }), 'activeDeadlineSeconds'],
])('%s is refused', async (_what, body, words) => {
  const { ask } = await open();
  expect(await ask('POST', JOBS, body)).toMatchObject({ code: 422, body: { message: expect.stringContaining(words) } });
});

test('a Secret has a size, and who knows no token gets nothing', async () => {
  const { cluster, ask } = await open();
  const data = { key: Buffer.alloc(1024 * 1024 + 1).toString('base64') };
  const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 's' }, data };
  expect(await ask('POST', '/api/v1/namespaces/agents/secrets', secret)).toMatchObject({ code: 422 });
  const answer = await fetch(`${cluster.url}${JOBS}`);
  expect(answer.status).toBe(401);
});
