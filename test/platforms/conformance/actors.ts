/** Who asked for the run: whoever set the label last. A platform that cannot tell refuses, and says so beforehand. */
import { expect, test } from 'vitest';
import { lifecycleLabel } from '../../../src/domain/lifecycle.ts';
import { callOf, failure, freshLabel, read } from './calls.ts';
import type { At } from './stages.ts';

export function actors(at: At): void {
  /** The check itself where the platform can tell; the others are held to their refusal. */
  const told =
    (check: (actorOf: (id: string, label: string) => Promise<string | undefined>) => Promise<void>) => async () => {
      const { platform, project, secret } = at();
      if (platform.capabilities.labelActors) {
        await check((id, label) => platform.labelActor(id, label, callOf({ purpose: 'claim' })));
        return;
      }
      const { id } = project.openTicket();
      expect(await failure(platform.labelActor(id, 'bug', callOf()), secret)).toMatchObject({ kind: 'unsupported' });
    };

  test(
    'the person who opened the ticket with the label, in any letter case of the label',
    told(async (actorOf) => {
      const { project, person } = at();
      const label = freshLabel();
      const { id } = project.openTicket({ labels: ['bug', label], by: person });
      expect(await actorOf(id, label)).toBe(person);
      expect(await actorOf(id, label.toUpperCase())).toBe(person);
    }),
  );

  test(
    'whoever set it again after it was removed, not the one before',
    told(async (actorOf) => {
      const { project, person } = at();
      const label = freshLabel();
      const { id, ticket } = project.openTicket({ labels: [label] });
      expect(await actorOf(id, label)).not.toBe(person);
      project.removeLabel(ticket, label, person);
      project.addLabel(ticket, label, person);
      expect(await actorOf(id, label)).toBe(person);
      project.removeLabel(ticket, label, person);
      project.addLabel(ticket, label);
      expect(await actorOf(id, label)).toEqual(expect.any(String));
      expect(await actorOf(id, label)).not.toBe(person);
    }),
  );

  test(
    'over a long history, and not whoever changed other labels later',
    told(async (actorOf) => {
      const { project, person } = at();
      const label = freshLabel();
      const { id, ticket } = project.openTicket({ labels: [label], by: person });
      for (let n = 0; n < 110; n += 1) {
        project.addLabel(ticket, 'noise');
        project.removeLabel(ticket, 'noise');
      }
      project.comment(ticket, label);
      expect(await actorOf(id, label)).toBe(person);
    }),
  );

  test(
    'nobody, where nobody ever set the label',
    told(async (actorOf) => {
      const { project, person } = at();
      const label = freshLabel();
      const { id } = project.openTicket({ labels: [`${label}-later`], by: person });
      expect(await actorOf(id, label)).toBeUndefined();
    }),
  );

  test(
    'of a wish that we wrote back ourselves it is still the person who wished',
    told(async (actorOf) => {
      const { project, platform, person } = at();
      const { id } = project.openTicket({ labels: ['bug', lifecycleLabel('pending')], by: person });
      for (const to of ['enqueued', 'pending'] as const) {
        await platform.moveLifecycle(await read(platform, id), to, callOf({ purpose: 'label' }));
      }
      expect(await actorOf(id, lifecycleLabel('pending'))).toBe(person);
      // What only we ever set is ours.
      expect(await actorOf(id, lifecycleLabel('enqueued'))).toEqual(expect.any(String));
      expect(await actorOf(id, lifecycleLabel('enqueued'))).not.toBe(person);
    }),
  );
}
