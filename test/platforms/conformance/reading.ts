/** Reading one ticket, and nothing but that ticket. */
import { expect, test } from 'vitest';
import { ticketKey } from '../../../src/domain/ticket.ts';
import { watch } from '../../support/watched-source.ts';
import { failure, freshLabel, read } from './calls.ts';
import type { At } from './stages.ts';

/** Ids that people or an attacker could hand in; none of them addresses a ticket of any platform. */
const NONSENSE = ['', '0', '-1', 'abc', '../1', '1/../2', '1e3', '1.5', ' 1', '1?x=y', '9'.repeat(40), '%2e%2e'];

export function reading(at: At): void {
  test('a ticket is read with everything that a pipeline is told of it', async () => {
    const { project, platform } = at();
    const label = freshLabel();
    const ticket = project.openTicket({ title: 'Broken', body: 'It fails on Mondays', labels: [label, 'Urgent'] });
    const shown = await read(platform, ticket.id);
    expect(shown).toMatchObject({
      key: ticketKey(watch(project).source, ticket.id),
      id: ticket.id,
      display: ticket.ticket,
      url: ticket.url,
      title: 'Broken',
      body: expect.stringContaining('It fails on Mondays'),
      open: true,
    });
    expect(shown.labels.toSorted()).toEqual([label, 'Urgent'].toSorted());
  });

  test('a ticket is found by its id, by its name and by its page', async () => {
    const { project, platform } = at();
    const ticket = project.openTicket();
    const { descriptor, source } = watch(project);
    for (const text of [ticket.id, ticket.ticket, ticket.url]) {
      const id = descriptor.parseTicketId(text, source);
      expect({ text, ...(await read(platform, String(id))) }).toMatchObject({ text, id: ticket.id });
    }
  });

  test('a closed ticket says so, and an open one again after it was reopened', async () => {
    const { project, platform } = at();
    const { id, ticket } = project.openTicket();
    project.closeTicket(ticket);
    expect(await read(platform, id)).toMatchObject({ open: false });
    project.reopenTicket(ticket);
    expect(await read(platform, id)).toMatchObject({ open: true });
  });

  test('what is written is what is read at once, never a stale copy', async () => {
    const { project, platform } = at();
    const { id, ticket } = project.openTicket({ labels: ['bug'] });
    for (const label of [freshLabel(), freshLabel()]) {
      await read(platform, id);
      project.addLabel(ticket, label);
      expect((await read(platform, id)).labels).toContain(label);
      project.removeLabel(ticket, label);
      expect((await read(platform, id)).labels).not.toContain(label);
    }
  });

  test('a deleted ticket is not found', async () => {
    const { project, platform, secret } = at();
    const { id, ticket } = project.openTicket();
    project.deleteTicket(ticket);
    expect(await failure(read(platform, id), secret)).toMatchObject({ kind: 'not-found', effect: 'none' });
  });

  test('a ticket that there never was is not found, nor is what only shares its numbers with tickets', async () => {
    const { platform, secret, notATicket } = at();
    const others = notATicket === undefined ? [] : [notATicket().id];
    for (const id of ['99999999', ...others]) {
      expect(await failure(read(platform, id), secret)).toMatchObject({ kind: 'not-found', effect: 'none' });
    }
  });

  test.each(NONSENSE)('the id "%s" is not found, and leads to nothing else', async (id) => {
    const { project, platform, secret, server } = at();
    project.openTicket();
    const before = server.ledger.totals().byOperation.get('unknown') ?? 0;
    expect(await failure(read(platform, id), secret)).toMatchObject({ kind: 'not-found', effect: 'none' });
    expect(server.ledger.totals().byOperation.get('unknown') ?? 0).toBe(before);
  });

  test('a ticket that was moved to another project is gone, closed, or says where it is', async () => {
    const { project, platform, move, afterMove, secret } = at();
    const { id, ticket } = project.openTicket({ labels: ['bug'] });
    move(ticket);
    switch (afterMove) {
      case 'not-found':
        expect(await failure(read(platform, id), secret)).toMatchObject({ kind: 'not-found' });
        break;
      case 'closed':
        expect(await read(platform, id)).toMatchObject({ open: false });
        break;
      case 'other-scope': {
        const { scope } = await read(platform, id);
        expect(scope).toBeDefined();
        expect(scope?.toLowerCase()).not.toBe(watch(project).source.scope?.toLowerCase());
        break;
      }
      default:
        expect.fail(`unknown: ${String(afterMove satisfies never)}`);
    }
  });
}
