/** The same gates on every platform there is, by its own adapter on its emulator. */
import { describe, expect, test } from 'vitest';
import { createClaimForesight } from '../../src/claims/claim-foresight.ts';
import type { Catalog, Project } from '../../src/domain/project.ts';
import { DEFAULT_TIMING } from '../../src/domain/timing.ts';
import { type At, allRuns, useStage } from '../platforms/conformance/stages.ts';
import { watch } from '../support/watched-source.ts';

const never = new AbortController().signal;

function foresightOn(at: At, allowedActors?: readonly string[]) {
  const { project: emulated, platform } = at();
  const project: Project = {
    name: 'api',
    source: watch(emulated).source,
    code: { type: emulated.platform, url: 'https://code.example' },
    routing: {
      pipelineFromLabel: new Map([['foreseen', 'fix-bug']]),
      ...(allowedActors === undefined ? {} : { allowedActors }),
    },
    triggers: new Set(['poll']),
  };
  const pipelines = new Map([['fix-bug', { name: 'fix-bug', policy: '{}', timeoutMs: 1, maxAttempts: 1 }]]);
  const catalog: Catalog = { hash: '', projects: [project], pipelines };
  const foresight = createClaimForesight(
    { catalog: () => catalog, platformOf: () => platform, records: undefined },
    DEFAULT_TIMING,
  );
  return async (ticketId: string) =>
    (await foresight.foresee({ project: 'api', ticketId, trigger: 'poll' }, never)).outcome;
}

for (const { name, open } of await allRuns()) {
  describe(`on ${name}`, () => {
    const at = useStage(open);

    test('labelled: it would be claimed, by its id and by its name; in another letter case too', async () => {
      const { project } = at();
      const { ticket, id } = project.openTicket({ labels: ['Foreseen'] });
      const named = watch(project).descriptor.parseTicketId(ticket, watch(project).source);
      const foresee = foresightOn(at);
      expect(await foresee(id)).toEqual({ kind: 'would-claim', project: 'api', pipeline: 'fix-bug' });
      expect(await foresee(named ?? '')).toEqual({ kind: 'would-claim', project: 'api', pipeline: 'fix-bug' });
    });

    test('closed, without a label, done, gone, moved: each is its own reason', async () => {
      const { project, afterMove } = at();
      const foresee = foresightOn(at);
      const labels = ['foreseen'];
      const reasonAfter = async (act: (ticket: string) => void, asked = labels): Promise<unknown> => {
        const { ticket, id } = project.openTicket({ labels: asked });
        act(ticket);
        return await foresee(id);
      };
      const no = (reason: string) => ({ kind: 'not-eligible', reason });
      const nothing = (): void => undefined;
      expect(await reasonAfter((ticket) => project.closeTicket(ticket))).toEqual(no('closed'));
      expect(await reasonAfter(nothing, ['other'])).toEqual(no('no-trigger-label'));
      expect(await reasonAfter(nothing, [...labels, 'agent-smith:done'])).toEqual(no('done'));
      expect(await reasonAfter((ticket) => project.deleteTicket(ticket))).toEqual(no('gone'));
      const moved = { 'not-found': 'gone', closed: 'closed', 'other-scope': 'moved' }[afterMove];
      expect(await reasonAfter((ticket) => at().move(ticket))).toEqual(no(moved));
    });

    test('who set the label last decides, whoever set it first', async () => {
      const { project, person } = at();
      const foresee = foresightOn(at, [person.toUpperCase()]);
      const { ticket, id } = project.openTicket({ labels: [] });
      project.addLabel(ticket, 'foreseen', 'mallory');
      expect(await foresee(id)).toEqual({ kind: 'not-eligible', reason: 'actor-not-allowed' });
      project.removeLabel(ticket, 'foreseen', person);
      project.addLabel(ticket, 'foreseen', person);
      expect(await foresee(id)).toMatchObject({ kind: 'would-claim' });
    });
  });
}
