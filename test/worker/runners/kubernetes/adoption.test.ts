/** A Job outlives its worker: another attempt takes it over, and whoever had it before changes nothing in it any more. */
import { describe, expect, test } from 'vitest';
import type { StopReason } from '../../../../src/worker/runners/runner.ts';
import { startTcpProxy } from '../../../support/tcp-proxy.ts';
import { until } from '../../../support/until.ts';
import { jobRequest, nameOf, nextAttempt, openClusterRoom } from './cluster-room.ts';

const fenceIn = (job: { metadata: { annotations?: Record<string, string> } } | undefined): string | undefined =>
  job?.metadata.annotations?.['agent-smith/fence'];

describe('the worker goes', () => {
  test.each<StopReason>(['drained', 'superseded', 'trust-lost'])(
    'after %s the Job goes on, and the next attempt takes it over',
    async (reason) => {
      const { cluster, start, running } = await openClusterRoom();
      const request = jobRequest();
      const first = start(request);
      const job = await running();
      first.stop(reason);
      expect(await first.ended).toEqual({ kind: 'stopped', reason, outputTail: '' });
      expect(cluster.jobs()).toHaveLength(1);
      const next = nextAttempt(request);
      const second = start(next);
      await until('its fence is in the Job', () => fenceIn(cluster.jobs()[0]) === String(next.fence));
      cluster.pod().print('all of it\n');
      cluster.pod().exit();
      expect(await second.ended).toEqual({ kind: 'exited', code: 0, outputTail: 'all of it\n' });
      expect(cluster.jobsMade.map(({ metadata }) => metadata.uid)).toEqual([job.metadata.uid]);
      expect(cluster.podsStarted).toHaveLength(1);
    },
  );

  test('what ended while nobody was there counts', async () => {
    const { cluster, start, running } = await openClusterRoom();
    const request = jobRequest();
    const first = start(request);
    await running();
    first.stop('trust-lost');
    await first.ended;
    cluster.pod().print('by myself\n');
    cluster.pod().exit({ code: 4, message: '{"summary":"Alone."}' });
    await until('it is over', () => cluster.jobs()[0]?.status.conditions?.some(({ type }) => type === 'Failed'));
    expect(await start(nextAttempt(request)).ended).toEqual({
      kind: 'exited',
      code: 4,
      outputTail: 'by myself\n',
      result: { summary: 'Alone.', links: [] },
    });
    expect(cluster.jobsMade).toHaveLength(1);
  });

  test.each([
    ['before the Job was made', 'POST', /\/jobs/],
    ['before the Secret was made', 'POST', /\/secrets/],
    ['before the Job was released', 'PATCH', /\/jobs/],
  ])('%s: whoever comes next goes on from there, and one pod starts', async (_when, method, path) => {
    const { cluster, start, running } = await openClusterRoom();
    const request = jobRequest();
    const stands = cluster.faults.inject({ method, path }, { kind: 'hang' });
    const first = start(request);
    await stands.hit();
    expect(cluster.pods()).toEqual([]);
    first.stop('trust-lost');
    await first.ended;
    stands.remove();
    const second = start(nextAttempt(request));
    await running();
    cluster.pod().exit();
    expect(await second.ended).toMatchObject({ kind: 'exited', code: 0 });
    expect([cluster.jobsMade.length, cluster.podsStarted.length, cluster.secrets().length]).toEqual([1, 1, 1]);
  });
});

describe('the worker is superseded and does not know it', () => {
  test('its delete, sent before and arrived after, does not reach the Job of its successor', async () => {
    const { cluster, start, running } = await openClusterRoom({ timing: { clusterCallMs: 5_000 } });
    const request = jobRequest();
    const first = start(request);
    await running();
    const late = cluster.faults.inject({ method: 'DELETE', times: 1 }, { kind: 'latency', delayMs: 1_200 });
    first.stop('cancelled');
    await late.hit();
    const next = nextAttempt(request);
    const second = start(next);
    await until('the second one has it', () => fenceIn(cluster.jobs()[0]) === String(next.fence));
    expect(await first.ended).toMatchObject({ kind: 'lost', reason: 'a later attempt has its Job' });
    expect(cluster.ledger.requests({ method: 'DELETE' }).map(({ status }) => status)).toEqual([409]);
    cluster.pod().exit();
    expect(await second.ended).toMatchObject({ kind: 'exited', code: 0 });
  });

  test('its adoption, sent before and arrived after, does not take the Job from its successor', async () => {
    const { cluster, start, running } = await openClusterRoom({ timing: { clusterCallMs: 5_000 } });
    const first = jobRequest();
    const holder = start(first);
    await running();
    holder.stop('trust-lost');
    await holder.ended;
    const late = cluster.faults.inject({ method: 'PATCH', times: 1 }, { kind: 'latency', delayMs: 1_200 });
    const slow = start(nextAttempt(first));
    await late.hit();
    const next = nextAttempt(nextAttempt(first));
    const second = start(next);
    await until('the last one has it', () => fenceIn(cluster.jobs()[0]) === String(next.fence));
    expect(await slow.ended).toMatchObject({ kind: 'lost' });
    expect(cluster.ledger.requests({ method: 'PATCH', status: 409 })).toHaveLength(1);
    expect(fenceIn(cluster.jobs()[0])).toBe(String(next.fence));
    cluster.pod().exit();
    expect(await second.ended).toMatchObject({ kind: 'exited', code: 0 });
  });

  test('back from a cut, with a time that is up: it finds its successor, and lets go', async () => {
    const { cluster, start, running } = await openClusterRoom();
    const line = await startTcpProxy(Number(new URL(cluster.url).port));
    const cutOff = await openClusterRoom({
      cluster,
      url: `http://127.0.0.1:${line.port}`,
      // Its own clock runs out long before the Job's deadline.
      timing: { clusterOverdueMs: -59_500, clusterQuietMs: 100 },
    });
    const request = jobRequest({ timeoutMs: 60_000 });
    const first = cutOff.start(request);
    await running();
    await line.set('black-hole');
    const next = nextAttempt(request);
    const second = start(next);
    await until('the second one has it', () => fenceIn(cluster.jobs()[0]) === String(next.fence));
    await line.set('pass');
    expect(await first.ended).toMatchObject({ kind: 'lost', reason: 'a later attempt has its Job' });
    // One that was on its way before the cut names the Job as it was then, and is refused.
    expect(cluster.ledger.requests({ method: 'DELETE', status: 200 })).toEqual([]);
    await line.close();
    cluster.pod().exit();
    expect(await second.ended).toMatchObject({ kind: 'exited', code: 0 });
  });

  test('without trust it changes nothing, and with it again it goes on', async () => {
    const { cluster, start, running } = await openClusterRoom({ timing: { trustTermMs: 1_600 } });
    const request = jobRequest();
    const handle = start({ ...request, trustedSince: { ...request.trustedSince, monotonicMs: 0 } });
    await until('it has looked a few times', () => cluster.ledger.requests({ operation: 'jobs/list' }).length > 3);
    expect(cluster.jobs()).toEqual([]);
    const beating = setInterval(() => handle.beat(jobRequest().trustedSince), 20);
    try {
      await running();
    } finally {
      clearInterval(beating);
    }
    cluster.pod().exit();
    expect(await handle.ended).toMatchObject({ kind: 'exited', code: 0 });
  });
});

describe('the name is taken by another run of the ticket', () => {
  test('one that has ended makes room', async () => {
    const { cluster, start, running } = await openClusterRoom();
    const earlier = jobRequest();
    const first = start(earlier);
    await running();
    cluster.pod().exit();
    await first.ended;
    const later = jobRequest({ fence: earlier.fence + 5 });
    const second = start(later);
    await until(
      'the other Job is there',
      () => cluster.jobs()[0]?.metadata.annotations?.['agent-smith/run'] === later.run,
    );
    await until('its pod runs', () => cluster.podsStarted.length === 2);
    cluster.pod().print('mine\n');
    cluster.pod().exit();
    expect(await second.ended).toMatchObject({ kind: 'exited', code: 0, outputTail: 'mine\n' });
    expect(nameOf(earlier)).toBe(nameOf(later));
  });

  test('one that was never let go makes room', async () => {
    const { cluster, start } = await openClusterRoom();
    const earlier = jobRequest();
    const stuck = cluster.faults.inject({ method: 'POST', path: /\/secrets/ }, { kind: 'hang' });
    const first = start(earlier);
    await stuck.hit();
    first.stop('trust-lost');
    await first.ended;
    stuck.remove();
    const second = start(jobRequest({ fence: earlier.fence + 5 }));
    await until('its pod runs', () => cluster.podsStarted.length === 1);
    cluster.pod().exit();
    expect(await second.ended).toMatchObject({ kind: 'exited', code: 0 });
    expect(cluster.jobsMade).toHaveLength(2);
  });

  test('one at work is left alone: the turn has to come back, before an attempt is begun', async () => {
    const { cluster, runner, start, running } = await openClusterRoom();
    const earlier = jobRequest();
    const first = start(earlier);
    await running();
    const later = jobRequest({ fence: earlier.fence + 5 });
    expect(await runner.blockedBy?.(later)).toBe(`the Job of an earlier run is still at work (${earlier.run})`);
    expect(await runner.blockedBy?.(nextAttempt(earlier))).toBeUndefined();
    // Should it come up between the question and the start, the attempt ends without a mark on the pipeline.
    expect(await start(later).ended).toMatchObject({ kind: 'lost' });
    expect(cluster.ledger.requests({ method: 'DELETE' })).toEqual([]);
    cluster.pod().exit();
    expect(await first.ended).toMatchObject({ kind: 'exited', code: 0 });
    expect(await runner.blockedBy?.(later)).toBeUndefined();
  });

  test('a cluster that does not answer lets the turn come back, too', async () => {
    const { cluster, runner } = await openClusterRoom();
    const away = cluster.faults.inject({}, { kind: 'answer', status: 503 });
    expect(await runner.blockedBy?.(jobRequest())).toMatch(/^Kubernetes does not answer \(/);
    away.remove();
    expect(await runner.blockedBy?.(jobRequest())).toBeUndefined();
  });
});
