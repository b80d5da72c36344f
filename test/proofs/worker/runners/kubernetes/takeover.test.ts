/** Real replicas and a Job: one of them is killed while the Job is at work. */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { createKubernetesEmulator } from '../../../../../src/emulators/kubernetes/kubernetes-emulator.ts';
import { markFresh, REPOSITORY, startHub } from '../../../../support/house.ts';
import { useRedis } from '../../../../support/redis.ts';
import { openSite, type Replica } from '../../../../support/replica.ts';
import { until } from '../../../../support/until.ts';

const redis = useRedis();

test('two replicas, one is killed while its Job is at work: the other one takes it over, the ticket is done, and there was one Job', async () => {
  const cluster = createKubernetesEmulator();
  await cluster.start();
  onTestFinished(() => cluster.close());
  const hub = await startHub();
  await markFresh(redis.url);
  const site = await openSite({
    hub,
    redisUrl: redis.url,
    yaml: 'pipelines: { fix-bug: { kubernetes_job: { image: "registry.test/agent:1" }, env: { KEY: "${KEY}" } } }',
  });
  const kubeconfig = path.join(site.dir, 'kubeconfig');
  await writeFile(kubeconfig, cluster.kubeconfig());
  const env = { KUBECONFIG: kubeconfig, KEY: 'a-secret-of-the-site' };
  const replicas = [await site.start({ env }), await site.start({ env })];
  const started = (replica: Replica): boolean => replica.logs.some(({ msg }) => msg === 'attempt started');

  const { number } = hub.openIssue(REPOSITORY, { labels: ['agent-smith'] });
  await until('the pod of its Job runs', () => cluster.podsStarted.length === 1, 30_000);
  const [holder, other] = replicas.toSorted((a, b) => Number(started(b)) - Number(started(a)));
  expect([holder && started(holder), other && started(other)]).toEqual([true, false]);
  const fence = (): string | undefined => cluster.jobs()[0]?.metadata.annotations?.['agent-smith/fence'];
  const before = fence();
  await holder?.end('SIGKILL');
  // Nobody holds it now, and it goes on.
  cluster.cutWatches();
  await until('another fence is in the Job', () => fence() !== before, 30_000);
  cluster.pod().print('found it, with a-secret-of-the-site\n');
  cluster.pod().exit({ message: '{"summary":"Fixed."}' });
  await until(
    'the ticket is done',
    () => hub.issue(`${REPOSITORY}#${number}`).labels.includes('agent-smith:done'),
    30_000,
  );
  expect([cluster.jobsMade.length, cluster.podsStarted.length]).toEqual([1, 1]);
  expect(Number(fence())).toBeGreaterThan(Number(before));
  const shown = JSON.stringify([holder?.logs, other?.logs, cluster.jobs(), cluster.pods()]);
  expect(shown).not.toContain('a-secret-of-the-site');
}, 120_000);
