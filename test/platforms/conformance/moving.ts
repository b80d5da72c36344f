/** Moving the lifecycle label: exactly one afterwards, and whatever people put on the ticket stays theirs. */
import { expect, test } from 'vitest';
import { LIFECYCLES, type Lifecycle, lifecycleLabel } from '../../../src/domain/lifecycle.ts';
import { callOf, labelsOf, lifecycleLabelsIn, read, requestsDuring } from './calls.ts';
import type { At, Run } from './stages.ts';

const ours = (...lifecycles: Lifecycle[]): string[] => lifecycles.map(lifecycleLabel);

export function moving(at: At, { open }: Run): void {
  /** Opens a ticket, moves it, and returns what people see afterwards. */
  const moved = async (labels: readonly string[], to: Lifecycle | undefined, stage = at()) => {
    const { project, platform } = stage;
    const { id, ticket } = project.openTicket({ labels });
    const shown = await platform.moveLifecycle(await read(platform, id), to, callOf({ purpose: 'label' }));
    expect(shown.toSorted()).toEqual(labelsOf(project, ticket));
    return labelsOf(project, ticket);
  };

  test('a ticket goes from nothing over enqueued and in-progress to done', async () => {
    const { project, platform, server } = at();
    const { id, ticket } = project.openTicket({ labels: ['bug'] });
    for (const to of ['enqueued', 'in-progress', 'done'] as const) {
      await platform.moveLifecycle(await read(platform, id), to, callOf({ purpose: 'label' }));
      expect(labelsOf(project, ticket)).toEqual([lifecycleLabel(to), 'bug']);
    }
    expect(server.ledger.lifecycleHistory(ticket)).toEqual(['enqueued', 'in-progress', 'done']);
  });

  test('of several lifecycle labels only the new one is left', async () => {
    expect(await moved(['bug', ...ours('pending', 'in-progress', 'done')], 'enqueued')).toEqual([
      'agent-smith:enqueued',
      'bug',
    ]);
    expect(await moved(['bug', ...ours(...LIFECYCLES)], 'done')).toEqual(['agent-smith:done', 'bug']);
  });

  test('there is never a moment without a lifecycle label', async () => {
    const { project, platform, server } = at();
    const { id, ticket } = project.openTicket({ labels: ['bug', ...ours('pending', 'failed')] });
    for (const to of ['enqueued', 'in-progress', 'failed'] as const) {
      await platform.moveLifecycle(await read(platform, id), to, callOf({ purpose: 'label' }));
    }
    const moments = server.ledger.labelChanges(ticket).map(({ labels }) => lifecycleLabelsIn(labels).length);
    expect(Math.min(...moments)).toBeGreaterThan(0);
  });

  test('without a target every lifecycle label goes', async () => {
    expect(await moved(['bug', ...ours('pending', 'enqueued', 'failed')], undefined)).toEqual(['bug']);
    expect(await moved(['bug'], undefined)).toEqual(['bug']);
  });

  test('a label that is there already is not written again', async () => {
    const { server } = at();
    const changes = server.ledger.labelChanges().filter(({ by }) => by.kind === 'token').length;
    const requests = await requestsDuring(server, () => moved(['bug', ...ours('done')], 'done'));
    expect(server.ledger.labelChanges().filter(({ by }) => by.kind === 'token')).toHaveLength(changes);
    expect(requests.length).toBeLessThanOrEqual(3);
  });

  test('a label that was there when the ticket was read, and is gone by now, is set', async () => {
    const { project, platform } = at();
    const { id, ticket } = project.openTicket({ labels: ['bug', ...ours('done')] });
    const seen = await read(platform, id);
    project.removeLabel(ticket, lifecycleLabel('done'));
    await platform.moveLifecycle(seen, 'done', callOf());
    expect(labelsOf(project, ticket)).toEqual(['agent-smith:done', 'bug']);
  });

  test('a stray that appeared since the ticket was read goes too', async () => {
    const { project, platform } = at();
    const { id, ticket } = project.openTicket({ labels: ['bug'] });
    const seen = await read(platform, id);
    project.addLabel(ticket, lifecycleLabel('pending'));
    await platform.moveLifecycle(seen, 'enqueued', callOf());
    // What a ticket that was read before cannot show, the read-back does.
    expect(labelsOf(project, ticket)).toEqual(['agent-smith:enqueued', 'bug']);
  });

  test('lifecycle labels in another letter case are lifecycle labels', async () => {
    // On a stage of its own: where a label has one spelling for the whole project, others would see this one.
    await using stage = await open();
    expect(await moved(['bug', 'Agent-Smith:Pending', 'AGENT-SMITH:FAILED'], 'enqueued', stage)).toEqual([
      'agent-smith:enqueued',
      'bug',
    ]);
    const shown = await moved(['bug', 'Agent-Smith:Done', 'Agent-Smith:In-Progress'], 'done', stage);
    expect(lifecycleLabelsIn(shown)).toHaveLength(1);
    expect(shown).toContain('bug');
    expect(await moved(['bug', 'Agent-Smith:Done'], undefined, stage)).toEqual(['bug']);
  });

  test('people’s labels stay, however much they look like ours', async () => {
    const people = ['agent-smith', 'agent-smith:mine', 'done', 'pending', 'not-agent-smith:done'].toSorted();
    for (const to of [...LIFECYCLES, undefined]) {
      const expected = to === undefined ? people : [...people, lifecycleLabel(to)].toSorted();
      expect(await moved([...people, ...ours('enqueued')], to)).toEqual(expected);
    }
  });

  test('the labels of the lifecycle may be prepared again and again', async () => {
    const { project, platform, server } = at();
    const { ticket } = project.openTicket({ labels: ['bug', ...ours('pending')] });
    await platform.ensureLifecycleLabels(callOf({ purpose: 'setup' }));
    const again = await requestsDuring(server, () => platform.ensureLifecycleLabels(callOf({ purpose: 'setup' })));
    expect(again).toEqual([]);
    expect(labelsOf(project, ticket)).toEqual(['agent-smith:pending', 'bug']);
  });
}
