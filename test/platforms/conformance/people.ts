/**
 * People and Agent Smith write to the same ticket at the same time. Every moment between two of our requests is tried
 * once, then many at random, and in the end the ticket carries exactly what people wanted and one label of ours.
 */
import { expect, test } from 'vitest';
import { isOurs, LIFECYCLES, lifecycleLabel } from '../../../src/domain/lifecycle.ts';
import { PlatformError, type TicketPlatform } from '../../../src/platforms/contract.ts';
import type { ConformanceStage } from '../conformance-stage.ts';
import { callOf, freshLabel, labelsOf, lifecycleLabelsIn, read } from './calls.ts';
import type { At } from './stages.ts';

const EDITS = 1_000;
const EDITS_AT_ONCE = 8;
const TICKETS = 5;
const MOST_MOMENTS = 20;

export function people(at: At): void {
  test('a label that a person adds, and one that a person removes, at any moment of a move', async () => {
    let moment = 0;
    while (await editedAt(at(), moment)) moment += 1;
    // Before the first request and after each one.
    expect(moment).toBeGreaterThanOrEqual(2);
    expect(moment).toBeLessThan(MOST_MOMENTS);
  });

  test('1,000 edits of people while their tickets go through the lifecycle: none is lost, none comes back', async () => {
    const { project, platform, person, server } = at();
    const tickets = Array.from({ length: TICKETS }, () => project.openTicket({ labels: ['bug'] }));
    const wanted = new Map(tickets.map(({ ticket }) => [ticket, new Set(['bug'])]));
    const chance = randomNumbers(7);
    const edits = { left: EDITS };
    const edit = (): void => {
      const { ticket } = tickets[Math.floor(chance() * TICKETS)] ?? { ticket: '' };
      const label = `people-${Math.floor(chance() * 6)}`;
      const mine = wanted.get(ticket);
      if (mine?.delete(label)) project.removeLabel(ticket, label, person);
      else {
        mine?.add(label);
        project.addLabel(ticket, label, person);
      }
      edits.left -= 1;
    };
    const stop = server.ledger.subscribe((entry) => {
      // In bursts: on a platform that compares before it writes, a ticket that never rests could never be written.
      if (entry.kind !== 'request' || chance() < 0.6) return;
      for (let n = 0; n < EDITS_AT_ONCE && edits.left > 0; n += 1) edit();
    });
    let moves = 0;
    const goThrough = async (id: string): Promise<void> => {
      do {
        for (const to of LIFECYCLES) await moveUntilTaken(platform, id, to);
        moves += LIFECYCLES.length;
      } while (edits.left > 0);
    };
    await Promise.all(tickets.map(({ id }) => goThrough(id)));
    stop();

    expect(edits.left).toBe(0);
    expect(moves).toBeGreaterThan(TICKETS * LIFECYCLES.length);
    for (const { ticket } of tickets) {
      const shown = labelsOf(project, ticket);
      expect(shown.filter((label) => !isOurs(label))).toEqual([...(wanted.get(ticket) ?? [])].toSorted());
      expect(lifecycleLabelsIn(shown)).toEqual([lifecycleLabel('failed')]);
      const changedByUs = server.ledger
        .labelChanges(ticket)
        .filter(({ by }) => by.kind === 'token')
        .flatMap(({ added, removed }) => [...added, ...removed]);
      expect(changedByUs.filter((label) => !isOurs(label))).toEqual([]);
    }
  });
}

/** Moves a ticket that a person edits after the given number of our requests; false when the move had fewer. */
async function editedAt({ project, platform, person, server }: ConformanceStage, moment: number): Promise<boolean> {
  const [old, added] = [freshLabel(), freshLabel()];
  const { id, ticket } = project.openTicket({
    labels: ['bug', old, lifecycleLabel('pending'), lifecycleLabel('done')],
  });
  const seen = await read(platform, id);
  let requests = 0;
  let edited = false;
  const edit = (): void => {
    edited = true;
    project.removeLabel(ticket, old, person);
    project.addLabel(ticket, added, person);
  };
  const stop = server.ledger.subscribe((entry) => {
    if (entry.kind !== 'request') return;
    requests += 1;
    if (requests === moment) edit();
  });
  if (moment === 0) edit();
  await platform.moveLifecycle(seen, 'enqueued', callOf({ purpose: 'label' }));
  stop();
  const peoples = ['bug', edited ? added : old];
  expect(labelsOf(project, ticket), `edited after request ${moment}`).toEqual(['agent-smith:enqueued', ...peoples]);
  return edited;
}

/** As the house does it: a write that lost a race changed nothing, so the ticket is read once more. */
async function moveUntilTaken(platform: TicketPlatform, id: string, to: (typeof LIFECYCLES)[number]): Promise<void> {
  for (;;) {
    try {
      await platform.moveLifecycle(await read(platform, id), to, callOf({ purpose: 'label' }));
      return;
    } catch (error) {
      if (!(error instanceof PlatformError) || error.kind !== 'conflict') throw error;
      expect(error.effect).toBe('none');
    }
  }
}

/** Numbers in [0, 1), the same in every run (Lehmer). */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}
