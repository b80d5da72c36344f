/** People: they label tickets as they like, and ask to cancel runs. */
import { lifecyclesOf } from '../../../src/domain/lifecycle.ts';
import { isTerminal } from '../../../src/domain/run.ts';
import { unreachable } from '../../../src/foundation/errors.ts';
import type { StepBy } from '../steps.ts';
import { currentRun, type World, writeFromOutside } from '../world.ts';

export async function personActs(world: World, { act, ticket }: StepBy<'person'>): Promise<boolean> {
  const { platform } = world;
  const shown = lifecyclesOf(platform.labelsOf(ticket));
  switch (act) {
    case 'clear':
      platform.paint(ticket, []);
      break;
    case 'pending':
      platform.paint(ticket, [...shown, 'pending']);
      break;
    case 'verdict':
      platform.paint(ticket, [...shown, shown.includes('done') ? 'failed' : 'done']);
      break;
    case 'enqueued':
    case 'in-progress':
      platform.paint(ticket, [act]);
      break;
    case 'cancel':
      return await asksToCancel(world, ticket);
    default:
      return unreachable(act);
  }
  world.trace.push(`somebody: ${act} on ticket ${ticket} -> ${lifecyclesOf(platform.labelsOf(ticket)).join(' ')}`);
  return true;
}

async function asksToCancel(world: World, ticket: string): Promise<boolean> {
  const id = currentRun(world, ticket);
  const run = id === undefined ? undefined : world.model.runs[id];
  if (id === undefined || run === undefined || isTerminal(run.state)) return false;
  await writeFromOutside(
    world,
    `somebody cancels ${id}`,
    ['HSET', world.redis.keys.run(id), 'cancelRequested', 'a person'],
    () => {
      run.cancel = true;
    },
  );
  return true;
}
