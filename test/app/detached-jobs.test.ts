/** The Jobs that the leader looks at, and what doctor says of their cluster; with the Role that the documentation gives. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { listDetachedJobs } from '../../src/app/detached-jobs.ts';
import { checkCluster } from '../../src/app/doctor/cluster.ts';
import type { PolicyRule } from '../../src/emulators/kubernetes/access.ts';
import { type Cluster, ClusterError } from '../../src/worker/runners/kubernetes/cluster.ts';
import { RIGHTS } from '../../src/worker/runners/kubernetes/rights.ts';
import { load } from '../config/load-text.ts';
import { silentLog } from '../support/house.ts';
import { until } from '../support/until.ts';
import { jobRequest, nextAttempt, openClusterRoom } from '../worker/runners/kubernetes/cluster-room.ts';

const PAGE = readFileSync(new URL('../../docs/runners/kubernetes.md', import.meta.url), 'utf8');
const CALL = { deadlineMs: 2_000, signal: new AbortController().signal };
const TIMING = { clusterCallMs: 2_000 };
const JOBS = 'projects: {}\npipelines: { p: { kubernetes_job: { image: x } }, q: { command: [make] } }';

function documentedRules(): PolicyRule[] {
  const [, text = ''] = /```yaml\n(apiVersion: rbac[\s\S]*?)```/.exec(PAGE) ?? [];
  return (parse(text) as { rules: PolicyRule[] }).rules;
}

test('the documented Role allows what is asked for, and nothing else', () => {
  const allowed = documentedRules().flatMap(({ apiGroups, resources, verbs }) =>
    verbs.flatMap((verb) =>
      resources.map((resource) => `${verb} ${[resource, ...apiGroups].filter(Boolean).join('.')}`),
    ),
  );
  expect(allowed.toSorted()).toEqual(RIGHTS.map(({ verb, resource }) => `${verb} ${resource}`).toSorted());
});

test('with that Role alone a Job is made, watched, adopted, read and deleted', async () => {
  const { cluster, start, running } = await openClusterRoom({ accounts: { documented: documentedRules() } });
  const request = jobRequest();
  const first = start(request);
  await running();
  first.stop('drained');
  await first.ended;
  const second = start(nextAttempt(request));
  cluster.pod().print('so far\n');
  await until('it watches', () => cluster.watches() === 2);
  second.stop('cancelled');
  expect(await second.ended).toEqual({ kind: 'stopped', reason: 'cancelled', outputTail: 'so far\n' });
  expect(cluster.ledger.requests({ status: 403 })).toEqual([]);
});

test('without the rights to see pods the end of a Job is known all the same', async () => {
  const rules = documentedRules().filter(({ resources }) => !resources.some((resource) => resource.startsWith('pods')));
  const { cluster, start, running } = await openClusterRoom({ accounts: { blind: rules } });
  const handle = start(jobRequest());
  await running();
  cluster.pod().exit();
  expect(await handle.ended).toMatchObject({ kind: 'exited', code: 0 });
});

test('Jobs that have not ended are listed, and end only if they are as they were seen', async () => {
  const { cluster, start, running, door } = await openClusterRoom();
  const config = await load(JOBS);
  const list = listDetachedJobs({ config: () => config, cluster: door.cluster, log: silentLog }, TIMING);
  expect(await list(CALL.signal)).toEqual([]);
  const request = jobRequest();
  const first = start(request);
  await running();
  first.stop('trust-lost');
  await first.ended;
  const [seen] = await list(CALL.signal);
  expect(seen).toMatchObject({ run: request.run, endsItself: true });
  const second = start(nextAttempt(request));
  const fence = String(request.fence + 1);
  await until('it is adopted', () => cluster.jobs()[0]?.metadata.annotations?.['agent-smith/fence'] === fence);
  await expect(seen?.end()).rejects.toThrow('Precondition failed');
  second.stop('drained');
  await second.ended;
  const [again] = await list(CALL.signal);
  await again?.end();
  await until('it is gone', () => cluster.jobs().length === 0);
});

test('without Jobs in the configuration no cluster is asked for; one that is away is said once', async () => {
  let asked = 0;
  const cluster = () => {
    asked += 1;
    return Promise.reject(new Error('no cluster here'));
  };
  const warned: unknown[] = [];
  const log = Object.assign(Object.create(silentLog) as typeof silentLog, {
    warn: (...line: unknown[]) => warned.push(line),
  });
  const plain = await load('projects: {}\npipelines: { q: { command: [make] } }');
  expect(await listDetachedJobs({ config: () => plain, cluster, log }, TIMING)(CALL.signal)).toEqual([]);
  expect(asked).toBe(0);
  const jobs = await load(JOBS);
  const list = listDetachedJobs({ config: () => jobs, cluster, log }, TIMING);
  await list(CALL.signal);
  await list(CALL.signal);
  expect([asked, warned.length]).toEqual([2, 1]);
});

test('doctor says what is missing, and only where Jobs are asked for', async () => {
  const rules = documentedRules().filter(
    ({ resources }) => !resources.includes('secrets') && !resources.includes('pods/log'),
  );
  const { door } = await openClusterRoom({ accounts: { poor: rules } });
  const config = await load(JOBS);
  expect(await checkCluster(config, door.env, CALL)).toMatchObject([
    {
      subject: 'kubernetes agents',
      check: 'rights',
      state: 'problem',
      text: 'missing: get pods/log, create secrets',
    },
  ]);
  const full = await openClusterRoom({ accounts: { documented: documentedRules() } });
  expect(await checkCluster(config, full.door.env, CALL)).toMatchObject([{ state: 'ok' }]);
  expect(await checkCluster(config, {}, CALL)).toMatchObject([{ check: 'reachable', state: 'problem' }]);
  expect(await checkCluster(await load('projects: {}'), {}, CALL)).toEqual([]);
});

test('a namespace where Jobs may not be listed does not keep those of another one from being ended', async () => {
  const { door, start, running } = await openClusterRoom();
  const cluster = async (): Promise<Cluster> => {
    const { namespace } = await door.cluster();
    const listJobs = () => Promise.reject(new ClusterError('refused', 'jobs.batch is forbidden'));
    return { namespace: (name) => (name === 'locked' ? { ...namespace(name), listJobs } : namespace(name)) };
  };
  const config = await load(`${JOBS.slice(0, -2)}, r: { kubernetes_job: { image: x, namespace: locked } } }`);
  const request = jobRequest();
  const handle = start(request);
  await running();
  handle.stop('drained');
  await handle.ended;
  const list = listDetachedJobs({ config: () => config, cluster, log: silentLog }, TIMING);
  expect(await list(CALL.signal)).toMatchObject([{ run: request.run }]);
});
