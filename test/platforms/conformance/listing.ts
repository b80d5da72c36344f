/** Listing: exactly the tickets that carry a label, all of them, the oldest first, whatever the label looks like. */
import { expect, test } from 'vitest';
import type { ConformanceStage } from '../conformance-stage.ts';
import { allPages, callOf, freshLabel, listedIds } from './calls.ts';
import type { At } from './stages.ts';

export function listing(at: At): void {
  test('open tickets with a label are listed, oldest first; closed ones only with all', async () => {
    const { project, platform } = at();
    const labels = [freshLabel()];
    const [first, closed, last] = [1, 2, 3].map(() => project.openTicket({ labels }).ticket);
    project.openTicket({ labels: [freshLabel()] });
    project.openTicket();
    project.closeTicket(String(closed));
    const idsOf = (tickets: readonly (string | undefined)[]) => tickets.map((t) => project.ticket(String(t)).id);
    expect(await listedIds(platform, labels)).toEqual(idsOf([first, last]));
    expect(await listedIds(platform, labels, 'all')).toEqual(idsOf([first, closed, last]));
    project.reopenTicket(String(closed));
    expect(await listedIds(platform, labels)).toEqual(idsOf([first, closed, last]));
  });

  test('a listed ticket says what the ticket itself says, its body apart', async () => {
    const { project, platform } = at();
    const label = freshLabel();
    const { id } = project.openTicket({ title: 'Broken on "Mondays"', labels: [label, 'Urgent'] });
    const { tickets } = await allPages(platform, [label]);
    const { body: _, ...itself } = await platform.readTicket(id, callOf());
    expect(tickets).toEqual([{ ...itself, body: expect.any(String) }]);
  });

  test('a ticket that carries any of several labels is listed', async () => {
    const { project, platform } = at();
    const [a, b, unused] = [freshLabel(), freshLabel(), freshLabel()];
    const ids = [[a], [b], [a, b], [freshLabel()]].map((labels) => project.openTicket({ labels }).id);
    const listed = await listedIds(platform, [a, unused, b]);
    expect(listed.toSorted()).toEqual(ids.slice(0, 3).toSorted());
  });

  test('a label is found in the letter case in which it stands, and never inside a longer one', async () => {
    const { project, platform, labelRules } = at();
    const label = freshLabel();
    const { id } = project.openTicket({ labels: [label] });
    project.openTicket({ labels: [`${label}-later`] });
    project.openTicket({ labels: [`not-${label}`] });
    expect(await listedIds(platform, [label])).toEqual([id]);
    // Where the platform's own filter tells letter cases apart, another one may find nothing; it never finds too much.
    const other = await listedIds(platform, [label.toUpperCase()]);
    expect(other).toEqual(labelRules.caseSensitive ? expect.toBeOneOf([[], [id]]) : [id]);
  });

  test('a label full of the query language’s own signs lists exactly its ticket', async () => {
    const { project, platform, labelRules } = at();
    project.openTicket({ labels: [freshLabel()] });
    const { id } = project.openTicket({ labels: [labelRules.hostile] });
    expect(await listedIds(platform, [labelRules.hostile])).toEqual([id]);
    expect(await listedIds(platform, [labelRules.hostile, freshLabel()], 'all')).toEqual([id]);
  });

  test('a listing without a label is a programming error, not a listing of everything', async () => {
    const { platform } = at();
    const listed = async () => platform.listTickets({ labels: [], state: 'open' }, undefined, callOf());
    await expect(listed).rejects.toThrow(TypeError);
  });

  test('every page is walked: all tickets once, oldest first, none twice', async () => {
    const { label, ids, stage } = await threePages(at());
    const { tickets, pages } = await allPages(stage.platform, [label]);
    expect(tickets.map(({ id }) => id)).toEqual(ids);
    expect(pages.length).toBeGreaterThan(2);
  });

  test('a ticket that appears while the pages are walked hides no other', async () => {
    const { label, ids, stage } = await threePages(at());
    const { project, platform } = stage;
    const first = await platform.listTickets({ labels: [label], state: 'open' }, undefined, callOf());
    const late = project.openTicket({ labels: [label] }).id;
    const listed = first.tickets.map(({ id }) => id);
    for (let { next } = first; next !== undefined; ) {
      const page = await platform.listTickets({ labels: [label], state: 'open' }, next, callOf());
      listed.push(...page.tickets.map(({ id }) => id));
      next = page.next;
    }
    expect(listed.filter((id) => id !== late)).toEqual(ids);
    expect(await listedIds(platform, [label])).toEqual([...ids, late]);
  });

  test('a cursor of another query begins anew or is refused, and hides nothing', async () => {
    const { label, stage } = await threePages(at());
    const { project, platform } = stage;
    const other = freshLabel();
    const { id } = project.openTicket({ labels: [other] });
    const { next } = await platform.listTickets({ labels: [label], state: 'open' }, undefined, callOf());
    const listed = async (cursor: string | undefined) => {
      const { tickets } = await platform.listTickets({ labels: [other], state: 'open' }, cursor, callOf());
      return tickets.map((ticket) => ticket.id);
    };
    const refused = (error: Error): string => `refused: ${error.name}`;
    expect(await listed(next).catch(refused)).toEqual(expect.toBeOneOf([[id], 'refused: PlatformError']));
    // No platform ever gave this one: whoever hands it in has a bug.
    expect(await listed('not-a-cursor').catch(refused)).toEqual(
      expect.toBeOneOf([[id], expect.stringContaining('refused: ')]),
    );
  });
}

/** More tickets than two pages hold, all with a label of their own. */
async function threePages(stage: ConformanceStage) {
  const label = freshLabel();
  const ids: string[] = [];
  for (let n = 0; n < 2 * stage.pageSize + 1; n += 1) ids.push(stage.project.openTicket({ labels: [label] }).id);
  return { stage, label, ids };
}
