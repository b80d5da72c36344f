/**
 * Our own label writes come back as deliveries, one or several for each move: none of them may look like a wish. Every move
 * between states that a ticket can be found in, event by event.
 */
import { expect, test } from 'vitest';
import { LIFECYCLES, type Lifecycle, lifecycleLabel } from '../../../src/domain/lifecycle.ts';
import type { Project } from '../../../src/domain/project.ts';
import { whyIgnored } from '../../../src/domain/ticket-news.ts';
import { callOf, read } from './calls.ts';
import { newsIn, useHookedStage } from './hooked-stage.ts';
import type { At, Run } from './stages.ts';

/** Together on a ticket: what a half-done move, a person, or a lost Redis leaves behind. */
const FOUND: readonly (readonly Lifecycle[])[] = [
  [],
  ...LIFECYCLES.map((lifecycle) => [lifecycle]),
  ['pending', 'enqueued'],
  ['pending', 'done'],
  ['pending', 'failed'],
  ['pending', 'enqueued', 'done'],
  ['enqueued', 'in-progress'],
  ['in-progress', 'done'],
  ['done', 'failed'],
];
/** `pending` is meant to be a wish, whoever writes it. */
const WRITTEN = LIFECYCLES.filter((lifecycle) => lifecycle !== 'pending');

const isEnd = (lifecycle: Lifecycle): boolean => lifecycle === 'done' || lifecycle === 'failed';

export function ownWrites(_: At, { open }: Run): void {
  const at = useHookedStage(open);

  test.each(WRITTEN)('to %s: no delivery of it is a reason to look at the ticket', async (to) => {
    const { stage, source, told } = at();
    const project: Pick<Project, 'source' | 'routing'> = {
      source,
      routing: { pipelineFromLabel: new Map([['agent-smith', 'fix-bug']]) },
    };
    for (const found of FOUND) {
      const { id } = stage.project.openTicket({ labels: ['agent-smith', ...found.map(lifecycleLabel)] });
      await stage.project.webhooks.settled();
      const ticket = await read(stage.platform, id);
      const messages = await told(() => stage.platform.moveLifecycle(ticket, to, callOf({ purpose: 'label' })));
      for (const news of messages.map(newsIn)) {
        // Half-way to the end of a run the wish of a person may still be there to be seen.
        if (isEnd(to) && found.includes('pending') && news.labels?.includes(lifecycleLabel('pending'))) continue;
        expect({ found, news, ignored: whyIgnored(news, [project as Project]) }).toMatchObject({
          ignored: 'own-label',
        });
      }
      if (!found.includes(to)) expect(messages).not.toEqual([]);
    }
  });
}
