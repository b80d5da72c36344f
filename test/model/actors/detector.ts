/** The stale-job detector of repair. */
import * as protocol from '../attempt-model.ts';
import { keyOf } from '../paper-platform.ts';
import type { StepBy } from '../steps.ts';
import type { World } from '../world.ts';
import { attemptAtWork } from './live-attempt.ts';

/** Judges and acts in two steps: the attempt may live again between them. */
export async function detectorActs(world: World, { act, ticket }: StepBy<'detector'>): Promise<boolean> {
  if (act === 'judge') {
    world.judged = attemptAtWork(world, ticket);
    return world.judged !== undefined;
  }
  const { judged } = world;
  if (judged === undefined || world.model.recovery !== 3) return false;
  world.judged = undefined;
  const name = { ...judged, ticket: keyOf(judged.ticket) };
  const what = `attempt ${judged.attempt} of ${judged.run}`;
  if (act === 'fail') {
    const end = { state: 'failed', reason: 'interrupted', output: '', onlyIfDead: true, interrupted: true } as const;
    await world.act(
      `detector fails ${what}`,
      async () => {
        const reply = await world.attemptRecords.finish(name, end);
        return typeof reply === 'string' ? reply : 'told';
      },
      (told) => protocol.finish(world.model, judged, 'failed', true, told),
    );
    return true;
  }
  const how = { onlyIfDead: true, interrupted: true, reason: 'its worker died' };
  await world.act(
    `detector hands back ${what}`,
    async () => {
      const reply = await world.attemptRecords.handBack(name, how);
      return reply.kind === 'handed-back' ? `handed back ${reply.turn}` : reply.kind;
    },
    (told) => protocol.handBack(world.model, judged, how, told),
  );
  return true;
}
