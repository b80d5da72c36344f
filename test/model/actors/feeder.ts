/** A replica that feeds the queue; the jobs that it would add are the workers' to take anyway. */
import * as protocol from '../admission-model.ts';
import { PAPER_PROJECT } from '../paper-platform.ts';
import type { World } from '../world.ts';

export const PAPER_CAPS = { projects: [PAPER_PROJECT], pipelines: new Map() } as const;

export async function feederActs(world: World): Promise<boolean> {
  await world.act(
    'a replica feeds the queue',
    () => feeds(world),
    () => protocol.admit(world.model),
  );
  return true;
}

export async function feeds({ admissions }: World): Promise<string> {
  const admitted = await admissions.admit({ instance: 'pod', free: 1 }, PAPER_CAPS);
  return `admitted ${admitted.map(({ run }) => run).join(' ')}`;
}
