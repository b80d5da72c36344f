/** A project that was renamed, on the platforms whose tickets say where they are. */
import { describe, expect, test } from 'vitest';
import { movedAway } from '../../src/domain/ticket.ts';
import { openStage as openAzureDevOps } from './azuredevops/conformance-stage.ts';
import { callOf, read, requestsDuring } from './conformance/calls.ts';
import { openDataCenterStage, openStage as openJira } from './jira/conformance-stage.ts';

const ASKS_FOR_PROJECT = /\/project(s)?\/[^/]+$/;

describe.each([
  ['azuredevops', openAzureDevOps, 'Web Shop'],
  ['jira cloud', openJira, 'ABC'],
  ['jira data center', openDataCenterStage, 'ABC'],
] as const)('%s', (_, open, configured) => {
  test('its tickets are found and are still its own, and its name is asked for once', async () => {
    await using stage = await open();
    const tickets = Array.from({ length: 3 }, () => stage.project.openTicket({ labels: ['fix'] }));
    stage.rename?.();
    const requests = await requestsDuring(stage.server, async () => {
      const page = await stage.platform.listTickets({ labels: ['fix'], state: 'open' }, undefined, callOf());
      expect(page.tickets.map(({ id, scope }) => [id, scope])).toEqual(tickets.map(({ id }) => [id, configured]));
      expect(await read(stage.platform, tickets[0]?.id ?? '')).toMatchObject({ scope: configured });
    });
    expect(requests.filter(({ path }) => ASKS_FOR_PROJECT.test(path))).toHaveLength(1);
  });

  test('one that was moved out of it is not its own, nor any while nobody tells its name', async () => {
    await using stage = await open();
    const [stays, goes] = [stage.project.openTicket(), stage.project.openTicket()];
    stage.rename?.();
    stage.move(goes.ticket);
    const isAway = async (id: string) => movedAway(await read(stage.platform, id), { scope: configured });
    expect([await isAway(goes.id), await isAway(stays.id)]).toEqual([true, false]);
    await using blind = await open();
    const { id } = blind.project.openTicket();
    blind.rename?.();
    blind.server.faults.inject({ path: ASKS_FOR_PROJECT }, { kind: 'answer', status: 403, body: {} });
    expect(movedAway(await read(blind.platform, id), { scope: configured })).toBe(true);
  });

  test('in a project of its name nothing is asked', async () => {
    await using stage = await open();
    const { id } = stage.project.openTicket();
    await read(stage.platform, id);
    expect(await requestsDuring(stage.server, () => read(stage.platform, id))).toHaveLength(1);
  });
});
