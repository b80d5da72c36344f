/** Writes that do not come to a good end: what may have happened is said, and doing it again does no harm. */
import { expect, test } from 'vitest';
import { lifecycleLabel } from '../../../src/domain/lifecycle.ts';
import type { Fault } from '../../../src/emulators/faults.ts';
import type { ConformanceStage } from '../conformance-stage.ts';
import { callOf, failure, isRead, labelsOf, read, requestsDuring } from './calls.ts';
import type { At } from './stages.ts';

const LOST: readonly Fault[] = [
  { kind: 'apply-then-cut' },
  { kind: 'cut' },
  { kind: 'apply-then-answer', status: 502, body: 'bad gateway' },
  { kind: 'answer', status: 500 },
];

export function lostWrites(at: At): void {
  test.each(LOST)(
    'a label whose answer is lost ($kind): the effect is unknown, and the next move ends it',
    async (fault) => {
      const stage = at();
      const { project, platform, secret } = stage;
      const { id, ticket, move } = await enqueuedTicket(stage);
      await faultyFirstWrite(stage, fault);
      expect(await failure(move(), secret)).toMatchObject({ kind: 'unavailable', effect: 'unknown' });
      await platform.moveLifecycle(await read(platform, id), 'in-progress', callOf());
      expect(labelsOf(project, ticket)).toEqual(['agent-smith:in-progress', 'bug']);
    },
  );

  test('a label whose answer never comes: the effect is unknown at the deadline', async () => {
    const stage = at();
    const { id, ticket } = await enqueuedTicket(stage);
    const seen = await read(stage.platform, id);
    await faultyFirstWrite(stage, { kind: 'apply-then-hang' });
    const move = stage.platform.moveLifecycle(seen, 'in-progress', callOf({ deadlineMs: 100 }));
    expect(await failure(move, stage.secret)).toMatchObject({ kind: 'unavailable', effect: 'unknown' });
    await stage.platform.moveLifecycle(await read(stage.platform, id), 'in-progress', callOf());
    expect(labelsOf(stage.project, ticket)).toEqual(['agent-smith:in-progress', 'bug']);
  });

  test.each([
    [403, 'auth'],
    [404, 'not-found'],
    [422, 'invalid-response'],
  ] as const)('a first write that is refused with %i has no effect', async (status, kind) => {
    const stage = at();
    const { project, platform, secret } = stage;
    const { id, ticket, move } = await enqueuedTicket(stage);
    const fault = await faultyFirstWrite(stage, { kind: 'answer', status, body: { message: 'no' } });
    expect(await failure(move(), secret)).toMatchObject({ kind, status, effect: 'none' });
    expect(fault.hits).toBe(1);
    expect(labelsOf(project, ticket)).toEqual(['agent-smith:enqueued', 'bug']);
    await platform.moveLifecycle(await read(platform, id), 'in-progress', callOf());
    expect(labelsOf(project, ticket)).toEqual(['agent-smith:in-progress', 'bug']);
  });

  test('a conflict is tried again, or told as one that changed nothing', async () => {
    const stage = at();
    const { project, platform, secret } = stage;
    const { id, ticket, move } = await enqueuedTicket(stage);
    const fault = await faultyFirstWrite(stage, {
      kind: 'answer',
      status: 409,
      body: { message: 'conflicting update' },
    });
    const moved = move();
    await moved.catch(async () => {
      expect(await failure(moved, secret)).toMatchObject({ kind: 'conflict', effect: 'none' });
      await platform.moveLifecycle(await read(platform, id), 'in-progress', callOf());
    });
    expect(fault.hits).toBe(1);
    expect(labelsOf(project, ticket)).toEqual(['agent-smith:in-progress', 'bug']);
  });

  test('a ticket that was deleted since it was read takes no label, and that is certain', async () => {
    const stage = at();
    const { ticket, move } = await enqueuedTicket(stage);
    stage.project.deleteTicket(ticket);
    expect(await failure(move(), stage.secret)).toMatchObject({ kind: 'not-found', effect: 'none' });
  });

  test('whoever may only read is told so, and nothing has changed', async () => {
    const { project, platform, reader, secret } = at();
    const { id, ticket } = project.openTicket({ labels: ['bug', lifecycleLabel('enqueued')] });
    expect(await read(reader, id)).toEqual(await read(platform, id));
    const move = reader.moveLifecycle(await read(platform, id), 'in-progress', callOf());
    const refused = await failure(move, secret);
    // GitLab and Jira may hide a ticket that they do not let us write.
    expect(refused).toMatchObject({ kind: expect.toBeOneOf(['auth', 'not-found']), effect: 'none' });
    expect(labelsOf(project, ticket)).toEqual(['agent-smith:enqueued', 'bug']);
  });
}

async function enqueuedTicket({ project, platform }: ConformanceStage) {
  const { id, ticket } = project.openTicket({ labels: ['bug', lifecycleLabel('enqueued')] });
  const seen = await read(platform, id);
  return { id, ticket, move: () => platform.moveLifecycle(seen, 'in-progress', callOf({ purpose: 'label' })) };
}

/** Plays the fault once, for the first request by which this platform changes a label. */
async function faultyFirstWrite(stage: ConformanceStage, fault: Fault) {
  const { project, platform, server } = stage;
  const { id } = project.openTicket({ labels: ['bug', lifecycleLabel('enqueued')] });
  const seen = await read(platform, id);
  const requests = await requestsDuring(server, () => platform.moveLifecycle(seen, 'in-progress', callOf()));
  const write = requests.find((request) => !isRead(request));
  if (write === undefined) throw new Error('a move has written nothing');
  return server.faults.inject({ method: write.method, times: 1 }, fault);
}
