/** What becomes of an attempt in a Job, by what happens in the cluster; faults of the way there are in other files. */
import { describe, expect, test } from 'vitest';
import { until } from '../../../support/until.ts';
import { jobRequest, nameOf, nextAttempt, openClusterRoom, SECRET_VALUE } from './cluster-room.ts';

test('a run becomes one Job, and its result, exit code and output come back', async () => {
  const { cluster, start, running } = await openClusterRoom({
    hostEnv: { PASSED: 'passed-secret', OTHER: 'not-for-jobs' },
  });
  const request = jobRequest({ spec: { env: { API_KEY: SECRET_VALUE }, passEnv: ['PASSED'] } });
  const handle = start(request);
  const job = await running();
  expect(job.metadata.name).toBe(nameOf(request));
  const pod = cluster.pod();
  expect(pod.environment()).toMatchObject({
    API_KEY: SECRET_VALUE,
    PASSED: 'passed-secret',
    AGENTSMITH_RUN_ID: request.run,
    AGENTSMITH_FENCE: String(request.fence),
    AGENTSMITH_TICKET_FILE: '/agentsmith/ticket.json',
  });
  expect(pod.environment()).not.toHaveProperty('OTHER');
  expect(pod.environment()).not.toHaveProperty('PATH');
  expect(JSON.parse(pod.mounted('ticket.json') ?? '')).toMatchObject({ title: request.ticket.title, run: request.run });
  // Whoever may read Jobs and pods learns neither secrets nor the ticket.
  const readable = JSON.stringify([cluster.jobs(), cluster.pods()]);
  for (const hidden of [SECRET_VALUE, 'passed-secret', request.ticket.title, request.ticket.body]) {
    expect(readable).not.toContain(hidden);
  }
  const links = [{ title: 'PR', url: 'https://github.com/o/r/pull/1' }];
  pod.print(`hello ${SECRET_VALUE}\nand passed-secret\n`);
  pod.exit({ message: JSON.stringify({ summary: `Fixed it with ${SECRET_VALUE}.`, links }) });
  expect(await handle.ended).toEqual({
    kind: 'exited',
    code: 0,
    outputTail: 'hello [redacted]\nand [redacted]\n',
    result: { summary: 'Fixed it with [redacted].', links },
  });
  expect(cluster.jobsMade).toHaveLength(1);
  // Nobody waits for it any more, and nobody deletes it: its time to live does.
  expect(cluster.jobs()).toHaveLength(1);
  cluster.advance(3_601_000);
  await until('Job, pod and Secret are gone', () => {
    return cluster.jobs().length + cluster.pods().length + cluster.secrets().length === 0;
  });
});

test('a variable that is handed through does not show in the result, nor does a secret in another spelling', async () => {
  const { cluster, start, running } = await openClusterRoom({ hostEnv: { PASSED: 'passed-along' } });
  const handle = start(jobRequest({ spec: { passEnv: ['PASSED'] } }));
  await running();
  const spelled = SECRET_VALUE.replace('a', String.raw`\u0061`);
  cluster.pod().exit({ message: `{"summary": "passed-along, ${spelled}"}` });
  expect(await handle.ended).toMatchObject({ result: { summary: '[redacted], [redacted]' } });
});

describe('ends', () => {
  test('an exit code fails with it, and its result counts too', async () => {
    const { cluster, start, running } = await openClusterRoom();
    const handle = start(jobRequest());
    await running();
    cluster.pod().print('oh no\n');
    cluster.pod().exit({ code: 3, message: '{"summary":"Half of it."}' });
    expect(await handle.ended).toEqual({
      kind: 'exited',
      code: 3,
      outputTail: 'oh no\n',
      result: { summary: 'Half of it.', links: [] },
    });
  });

  test('a message that is no JSON is a note, and no failure', async () => {
    const { cluster, start, running } = await openClusterRoom();
    const handle = start(jobRequest());
    await running();
    cluster.pod().print('done\n');
    cluster.pod().exit({ message: 'all went well' });
    expect(await handle.ended).toEqual({
      kind: 'exited',
      code: 0,
      outputTail: 'done\n[agent-smith: The result that the pipeline wrote is not JSON.]\n',
    });
  });

  test('out of memory is said in words', async () => {
    const { cluster, start, running } = await openClusterRoom();
    const handle = start(jobRequest());
    await running();
    cluster.pod().exit({ code: 137, reason: 'OOMKilled' });
    expect(await handle.ended).toMatchObject({
      kind: 'reported',
      done: false,
      reason: 'its container ran out of memory (OOMKilled)',
    });
  });

  test('a pod that the cluster takes away is replaced, and the run goes on', async () => {
    const { cluster, start, running } = await openClusterRoom();
    const handle = start(jobRequest());
    await running();
    cluster.pod().disrupt();
    await until('another pod runs', () => cluster.podsStarted.length === 2);
    cluster.pod().print('second try\n');
    cluster.pod().exit();
    expect(await handle.ended).toMatchObject({ kind: 'exited', code: 0, outputTail: 'second try\n' });
    expect(cluster.jobsMade).toHaveLength(1);
  });

  test('a Job that somebody deletes while it is at work has failed', async () => {
    const { cluster, start, running } = await openClusterRoom();
    const handle = start(jobRequest());
    const job = await running();
    cluster.deleteJob(job.metadata.name);
    expect(await handle.ended).toMatchObject({
      kind: 'reported',
      done: false,
      reason: 'its Job was deleted while it was at work',
    });
    expect(cluster.jobsMade).toHaveLength(1);
  });

  test("the Job's own deadline is a timeout, with what was printed before", async () => {
    const { cluster, start, running } = await openClusterRoom();
    const handle = start(jobRequest({ timeoutMs: 60_000 }));
    await running();
    cluster.pod().print('still at it\n');
    // The pod takes its grace: that is when its log can still be read.
    cluster.endPods(false);
    cluster.advance(61_000);
    await until('it is about to fail', () =>
      cluster.jobs().some(({ status }) => status.conditions?.some(({ type }) => type === 'FailureTarget')),
    );
    await until('its log was read', () => cluster.ledger.requests({ operation: 'pods/log' }).length > 0);
    cluster.endPods(true);
    expect(await handle.ended).toEqual({ kind: 'timed-out', timeoutMs: 60_000, outputTail: 'still at it\n' });
  });

  test('what keeps a pod from starting is told at once, and again when the deadline ends it', async () => {
    const { cluster, start, lines } = await openClusterRoom();
    const handle = start(jobRequest({ timeoutMs: 60_000 }));
    await until('a pod is there', () => cluster.pods().length === 1);
    cluster.pod().stick('ImagePullBackOff', 'Back-off pulling image "registry.test/agent:1"');
    const isTold = () => lines.find(({ msg }) => msg === 'the pod of a job does not start');
    await until('it is in the log', isTold);
    cluster.advance(61_000);
    expect(await handle.ended).toMatchObject({
      kind: 'timed-out',
      detail: 'its container work does not start (ImagePullBackOff: Back-off pulling image "registry.test/agent:1")',
    });
  });

  test('a pod that no node takes is told in the same way', async () => {
    const { cluster, start, lines } = await openClusterRoom();
    const handle = start(jobRequest({ timeoutMs: 60_000 }));
    await until('a pod is there', () => cluster.pods().length === 1);
    cluster.pod().unschedulable();
    await until('it is in the log', () => lines.some(({ msg }) => msg === 'the pod of a job does not start'));
    cluster.advance(61_000);
    expect(await handle.ended).toMatchObject({
      kind: 'timed-out',
      detail: expect.stringMatching(/^no node takes its pod \(Unschedulable: /),
    });
  });

  test('a Job whose deadline does not count, since somebody suspended it, is ended from here', async () => {
    const { cluster, start, running } = await openClusterRoom({ timing: { clusterOverdueMs: 1 } });
    const handle = start(jobRequest({ timeoutMs: 3_000 }));
    const job = await running();
    cluster.suspendJob(job.metadata.name, true);
    expect(await handle.ended).toMatchObject({ kind: 'timed-out', timeoutMs: 3_000 });
    expect(cluster.jobs()).toEqual([]);
  });

  test('a log that is gone with its pod is said to be gone', async () => {
    const { cluster, start, running } = await openClusterRoom();
    const request = jobRequest();
    const first = start(request);
    await running();
    first.stop('drained');
    await first.ended;
    cluster.pod().exit();
    await until('the Job is complete', () => cluster.jobs()[0]?.status.succeeded === 1);
    cluster.faults.inject(
      { path: /\/log\?/ },
      { kind: 'answer', status: 404, body: { kind: 'Status', message: 'pods not found', reason: 'NotFound' } },
    );
    const handle = start({ ...request, attempt: 2, fence: request.fence + 1 });
    expect(await handle.ended).toEqual({
      kind: 'exited',
      code: 0,
      outputTail: '[agent-smith: the pod and its log are gone]\n',
    });
  });

  test('of a long log the last 64 KiB are kept', async () => {
    const { cluster, start, running } = await openClusterRoom();
    const handle = start(jobRequest());
    await running();
    cluster.pod().print(`${'x'.repeat(99)}\n`.repeat(2_000));
    cluster.pod().print('the end\n');
    cluster.pod().exit();
    const { outputTail } = await handle.ended;
    expect(Buffer.byteLength(outputTail)).toBe(64 * 1024);
    expect(outputTail.endsWith('x\nthe end\n')).toBe(true);
  });
});

describe('cancelled', () => {
  test('the Job is deleted, and the attempt ends when its pod is gone', async () => {
    const { cluster, start, running } = await openClusterRoom();
    const handle = start(jobRequest());
    await running();
    cluster.pod().print('half way\n');
    cluster.endPods(false);
    let isOver = false;
    const ended = handle.ended.finally(() => {
      isOver = true;
    });
    handle.stop('cancelled');
    await until('its pod is being ended', () => cluster.pods()[0]?.metadata.deletionTimestamp !== undefined);
    expect(isOver).toBe(false);
    cluster.endPods(true);
    expect(await ended).toEqual({ kind: 'stopped', reason: 'cancelled', outputTail: 'half way\n' });
    await until('nothing is left', () => cluster.jobs().length + cluster.secrets().length === 0);
  });

  test('between a look at the Job and the wait for a change, it is not waited for one', async () => {
    const { cluster, start, running } = await openClusterRoom();
    const handle = start(jobRequest());
    await running();
    await until('it watches Job and pods', () => cluster.watches() === 2);
    const looking = cluster.faults.inject({ path: /\/pods\?(?!.*watch)/, times: 1 }, { kind: 'latency', delayMs: 100 });
    // Nothing happens after this that it could wait for.
    cluster.pod().stick('ImagePullBackOff');
    await looking.hit();
    handle.stop('cancelled');
    expect(await handle.ended).toMatchObject({ kind: 'stopped', reason: 'cancelled' });
    expect(cluster.jobs()).toEqual([]);
  });

  test('before the Job was made, none is', async () => {
    const { cluster, start } = await openClusterRoom();
    const handle = start(jobRequest());
    handle.stop('cancelled');
    expect(await handle.ended).toMatchObject({ kind: 'stopped', reason: 'cancelled' });
    expect(cluster.jobs()).toEqual([]);
  });

  test('while the cluster does not answer, the attempt ends in time and leaves the Job to housekeeping', async () => {
    const { cluster, start, running } = await openClusterRoom({ timing: { clusterRemoveMs: 300 } });
    const handle = start(jobRequest());
    await running();
    cluster.faults.inject({}, { kind: 'hang' });
    cluster.cutWatches();
    handle.stop('cancelled');
    expect(await handle.ended).toMatchObject({ kind: 'stopped', reason: 'cancelled' });
    expect(cluster.jobs()).toHaveLength(1);
  });

  test('a worker that leaves while it cancels waits for the cluster no longer than for a command', async () => {
    const { cluster, start, running } = await openClusterRoom({
      timing: { clusterRemoveMs: 60_000, stopGraceMs: 200 },
    });
    const handle = start(jobRequest());
    await running();
    cluster.faults.inject({}, { kind: 'hang' });
    cluster.cutWatches();
    handle.stop('cancelled');
    handle.stop('drained');
    expect(await handle.ended).toMatchObject({ kind: 'stopped', reason: 'cancelled' });
  });
});

describe('what cannot start', () => {
  test('without a cluster it says what to do', async () => {
    const { start } = await openClusterRoom({ hostEnv: { KUBECONFIG: '' } });
    expect(await start(jobRequest()).ended).toMatchObject({
      kind: 'not-started',
      reason: expect.stringContaining('name a kubeconfig in KUBECONFIG'),
    });
  });

  test('a kubeconfig that is no file is named', async () => {
    const { start } = await openClusterRoom({ hostEnv: { KUBECONFIG: '/nowhere/config' } });
    expect(await start(jobRequest()).ended).toMatchObject({
      kind: 'not-started',
      reason: expect.stringContaining('The kubeconfig in KUBECONFIG cannot be used: ENOENT'),
    });
  });

  test('a namespace that is not there', async () => {
    const { start } = await openClusterRoom();
    expect(await start(jobRequest({ spec: { namespace: 'elsewhere' } })).ended).toMatchObject({
      kind: 'not-started',
      reason: 'The Job cannot be created in namespace elsewhere: namespaces "elsewhere" not found',
    });
  });

  test('a Job that the cluster does not take', async () => {
    const { start } = await openClusterRoom();
    expect(await start(jobRequest({ spec: { labels: { team: 'a b' } } })).ended).toMatchObject({
      kind: 'not-started',
      reason: expect.stringContaining('The Job cannot be created in namespace agents: Job.batch'),
    });
  });

  test('a name that is taken by a Job which is not ours', async () => {
    const { cluster, start } = await openClusterRoom();
    const request = jobRequest();
    const metadata = {
      name: nameOf(request),
      namespace: 'agents',
      uid: '',
      resourceVersion: '',
      creationTimestamp: '',
    };
    cluster.putJob({ metadata, spec: { template: { spec: { restartPolicy: 'Never', containers: [] } } } });
    expect(await start(request).ended).toMatchObject({
      kind: 'not-started',
      reason: expect.stringContaining('by a Job that is not ours'),
    });
  });
});

describe('a time that is up while its Job is out of reach', () => {
  /** A Job at work whose attempt has let go of it, and a replica for which its time is up nearly at once. */
  const leftAlone = async (clusterRemoveMs: number) => {
    const { cluster, start, running } = await openClusterRoom();
    const request = jobRequest();
    const first = start(request);
    await running();
    first.stop('trust-lost');
    await first.ended;
    const timing = { clusterOverdueMs: -59_900, clusterRemoveMs, clusterCallMs: 1_000 };
    const late = await openClusterRoom({ cluster, timing });
    return { cluster, start, late, next: nextAttempt(request) };
  };

  test('the attempt ends without a word on its Job, which had ended well: whoever sees it next knows', async () => {
    const { cluster, start, late, next } = await leftAlone(100);
    const away = cluster.faults.inject({}, { kind: 'cut' });
    const blind = late.start(next);
    cluster.pod().exit();
    expect(await blind.ended).toMatchObject({
      kind: 'lost',
      reason: expect.stringMatching(/^its time is up, and Kubernetes does not answer \(/),
    });
    away.remove();
    expect(await start(nextAttempt(next)).ended).toMatchObject({ kind: 'exited', code: 0 });
    expect(cluster.jobsMade).toHaveLength(1);
  });

  test('a Job that is being deleted for that, and is never gone, has timed out', async () => {
    const { cluster, late, next } = await leftAlone(2_000);
    cluster.endPods(false);
    expect(await late.start(next).ended).toMatchObject({ kind: 'timed-out', timeoutMs: 60_000 });
    expect(cluster.ledger.requests({ method: 'DELETE', status: 200 })).toHaveLength(1);
    expect(cluster.jobs()).toHaveLength(1);
  });
});

describe('rights that are missing', () => {
  const forbidden = (code: 401 | 403) =>
    ({ kind: 'answer', status: code, body: { kind: 'Status', message: 'not allowed', code } }) as const;

  test.each([401, 403] as const)(
    'answered %d, an attempt whose Job may be at work asks again, and one that has none has not started',
    async (code) => {
      const { cluster, start, running, runner } = await openClusterRoom();
      const request = jobRequest();
      const refusing = cluster.faults.inject({ path: /\/jobs\?(?!.*watch)/ }, forbidden(code));
      expect(await runner.blockedBy?.(request)).toBeUndefined();
      expect(await start(request).ended).toMatchObject({ kind: 'not-started' });
      refusing.remove();
      const first = start(request);
      await running();
      first.stop('trust-lost');
      await first.ended;
      const again = cluster.faults.inject({ path: /\/jobs\?(?!.*watch)/ }, forbidden(code));
      expect(await runner.blockedBy?.(nextAttempt(request))).toMatch(
        /^the Job of an earlier attempt cannot be looked at/,
      );
      const second = start(nextAttempt(request));
      await again.hit({ count: 4 });
      again.remove();
      cluster.pod().exit();
      expect(await second.ended).toMatchObject({ kind: 'exited', code: 0 });
    },
  );

  test('a Job at work that may not be adopted is waited for all the same, and that is said once', async () => {
    const { cluster, start, running, lines } = await openClusterRoom();
    const request = jobRequest();
    const first = start(request);
    await running();
    first.stop('trust-lost');
    await first.ended;
    const refused = cluster.faults.inject({ method: 'PATCH' }, forbidden(403));
    const second = start(nextAttempt(request));
    await refused.hit({ count: 3 });
    cluster.pod().exit();
    expect(await second.ended).toMatchObject({ kind: 'exited', code: 0 });
    expect(lines.filter(({ msg }) => msg === 'job not adopted, its end is waited for all the same')).toHaveLength(1);
  });

  test('one that was never let go has not started: nothing of it is at work', async () => {
    const { cluster, start } = await openClusterRoom();
    const request = jobRequest();
    const stuck = cluster.faults.inject({ method: 'POST', path: /\/secrets/ }, { kind: 'hang' });
    const first = start(request);
    await stuck.hit();
    first.stop('trust-lost');
    await first.ended;
    cluster.faults.inject({ method: 'PATCH' }, forbidden(403));
    expect(await start(nextAttempt(request)).ended).toMatchObject({
      kind: 'not-started',
      reason: 'The Job cannot be adopted in namespace agents: not allowed',
    });
  });

  test('without a cluster of its own, a replica leaves what may be at work to another one', async () => {
    const { runner } = await openClusterRoom({ hostEnv: { KUBECONFIG: '' } });
    expect(await runner.blockedBy?.(jobRequest())).toBeUndefined();
    expect(await runner.blockedBy?.(nextAttempt(jobRequest()))).toContain('No Kubernetes cluster is known here');
    expect(await runner.start(nextAttempt(jobRequest())).ended).toMatchObject({ kind: 'lost' });
  });
});
