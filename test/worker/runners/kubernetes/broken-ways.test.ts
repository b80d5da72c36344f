/** The way to the cluster breaks at any step, in any manner: one Job, one pod, and the end is the Job's own. */
import { describe, expect, test } from 'vitest';
import type { Fault } from '../../../../src/emulators/faults.ts';
import type { KubernetesEmulator } from '../../../../src/emulators/kubernetes/kubernetes-emulator.ts';
import { until } from '../../../support/until.ts';
import { jobRequest, openClusterRoom } from './cluster-room.ts';

const STEPS = [
  ['making the Job', { method: 'POST', path: /\/jobs/ }],
  ['making the Secret', { method: 'POST', path: /\/secrets/ }],
  ['releasing the Job', { method: 'PATCH', path: /\/jobs/ }],
  ['the first list', { method: 'GET', path: /\/jobs\?(?!.*watch=true)/ }],
  ['a watch', { method: 'GET', path: /watch=true/ }],
] as const;

const FAULTS: readonly (readonly [string, Fault])[] = [
  ['is cut off', { kind: 'cut' }],
  ['is done, and its answer lost', { kind: 'apply-then-cut' }],
  ['is done, and its answer never comes', { kind: 'apply-then-hang' }],
  ['is done, and answered 500', { kind: 'apply-then-answer', status: 500 }],
  ['is answered by half', { kind: 'cut-inside-body' }],
  ['is answered 429', { kind: 'answer', status: 429, headers: { 'retry-after': '0' } }],
  ['is answered by a page of some proxy', { kind: 'html' }],
];

describe.each(STEPS)('%s', (_step, matcher) => {
  test.each(FAULTS)('%s', async (_how, fault) => {
    const { cluster, start, running } = await openClusterRoom({ timing: { clusterCallMs: 300, clusterQuietMs: 300 } });
    const broken = cluster.faults.inject({ ...matcher, times: 1 }, fault);
    const handle = start(jobRequest());
    await broken.hit();
    await running();
    cluster.pod().print('whole\n');
    cluster.pod().exit();
    expect(await handle.ended).toEqual({ kind: 'exited', code: 0, outputTail: 'whole\n' });
    expect([cluster.jobsMade.length, cluster.podsStarted.length]).toEqual([1, 1]);
  });
});

/** Cuts the watches, and lets the Job end before there is another. Returns the fault that keeps them closed. */
async function endUnwatched(cluster: Pick<KubernetesEmulator, 'faults' | 'cutWatches' | 'pod' | 'jobs'>) {
  const closed = cluster.faults.inject({ path: /watch=true/ }, { kind: 'answer', status: 500 });
  cluster.cutWatches();
  await closed.hit();
  cluster.pod().exit();
  await until('the Job is complete', () => cluster.jobs()[0]?.status.succeeded === 1);
  return closed;
}

describe('while the Job is at work', () => {
  test('its watches are cut again and again, and the end is seen all the same', async () => {
    const { cluster, start, running } = await openClusterRoom();
    const handle = start(jobRequest());
    await running();
    for (let round = 0; round < 3; round += 1) {
      await until('it watches Job and pods', () => cluster.watches() === 2);
      cluster.cutWatches();
    }
    cluster.pod().exit();
    expect(await handle.ended).toMatchObject({ kind: 'exited', code: 0 });
  });

  test('the end comes while nothing is watched', async () => {
    const { cluster, start, running } = await openClusterRoom();
    const handle = start(jobRequest());
    await running();
    await until('it watches Job and pods', () => cluster.watches() === 2);
    const closed = await endUnwatched(cluster);
    closed.remove();
    expect(await handle.ended).toMatchObject({ kind: 'exited', code: 0 });
  });

  test.each([
    ['in the watch', undefined],
    ['as the answer', { kind: 'answer', status: 410, body: { kind: 'Status', code: 410, reason: 'Expired' } } as const],
  ])('what the watch would go on from is forgotten (%s): it lists again', async (_where, fault) => {
    const { cluster, start, running } = await openClusterRoom();
    const handle = start(jobRequest());
    await running();
    await until('it watches Job and pods', () => cluster.watches() === 2);
    const closed = await endUnwatched(cluster);
    // The history of the gap is lost.
    cluster.compact();
    if (fault !== undefined) cluster.faults.inject({ path: /watch=true/, times: 1 }, fault);
    closed.remove();
    expect(await handle.ended).toMatchObject({ kind: 'exited', code: 0 });
  });

  test('a watch in which nothing is heard is opened anew', async () => {
    const { cluster, start, running } = await openClusterRoom({ timing: { clusterQuietMs: 150 } });
    const handle = start(jobRequest());
    await running();
    const mute = cluster.faults.inject({ path: /watch=true/ }, { kind: 'hang' });
    cluster.cutWatches();
    await mute.hit({ count: 4 });
    cluster.pod().exit();
    mute.remove();
    expect(await handle.ended).toMatchObject({ kind: 'exited', code: 0 });
  });

  test('the cluster is away for long: the attempt goes on, says so once, and sees the end when it is back', async () => {
    const { cluster, start, running, lines } = await openClusterRoom();
    const handle = start(jobRequest());
    await running();
    await until('it watches Job and pods', () => cluster.watches() === 2);
    await cluster.close();
    await until('a pod of it ends unseen', () => cluster.podsStarted.length === 1);
    cluster.pod().exit();
    await until('the Job is complete', () => cluster.jobs()[0]?.status.succeeded === 1);
    await cluster.start();
    expect(await handle.ended).toMatchObject({ kind: 'exited', code: 0 });
    expect(lines.filter(({ msg }) => msg === 'kubernetes does not answer, the attempt goes on').length).toBeLessThan(3);
  });

  test('a right that was taken away ends nothing: it is asked for until it is given back', async () => {
    const { cluster, start, running } = await openClusterRoom();
    const handle = start(jobRequest());
    await running();
    const forbidden = { kind: 'Status', message: 'jobs.batch is forbidden', reason: 'Forbidden', code: 403 };
    const refused = cluster.faults.inject({}, { kind: 'answer', status: 403, body: forbidden });
    cluster.cutWatches();
    await refused.hit({ count: 5 });
    cluster.pod().exit();
    refused.remove();
    expect(await handle.ended).toMatchObject({ kind: 'exited', code: 0 });
  });
});

test('a log that breaks off is read again, and one that stays broken is shown as far as it came', async () => {
  const { cluster, start, running } = await openClusterRoom();
  const handle = start(jobRequest());
  await running();
  cluster.pod().print('first half, second half\n');
  const broken = cluster.faults.inject({ path: /\/log\?/ }, { kind: 'cut-inside-body' });
  cluster.pod().exit();
  const { kind, outputTail } = await handle.ended;
  expect(kind).toBe('exited');
  expect(outputTail).toMatch(/^first half, \[agent-smith: the log of the pod could not be read to its end: .+\]\n$/);
  expect(broken.hits).toBe(3);
});
