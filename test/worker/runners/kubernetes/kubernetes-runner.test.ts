import { expect, test } from 'vitest';
import { jobRequest, nameOf, openClusterRoom, SECRET_VALUE } from './cluster-room.ts';

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
  pod.print(`hello ${SECRET_VALUE}\nand passed-secret\n`);
  pod.exit({
    message: JSON.stringify({ summary: 'Fixed it.', links: [{ title: 'PR', url: 'https://github.com/o/r/pull/1' }] }),
  });
  expect(await handle.ended).toEqual({
    kind: 'exited',
    code: 0,
    outputTail: 'hello [redacted]\nand [redacted]\n',
    result: { summary: 'Fixed it.', links: [{ title: 'PR', url: 'https://github.com/o/r/pull/1' }] },
  });
  expect(cluster.jobsMade).toHaveLength(1);
});
