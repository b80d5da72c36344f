/** The Redis server: it loses everything, or what a replica that takes over does not have, and recovers. */
import { unreachable } from '../../../src/foundation/errors.ts';
import { loseAll } from '../model.ts';
import type { StepBy } from '../steps.ts';
import { note, noteLoss, outliveFences, TIMING, type World, writeFromOutside } from '../world.ts';

export async function redisActs(world: World, { act }: StepBy<'redis'>): Promise<boolean> {
  const { model, redis } = world;
  switch (act) {
    case 'flush':
      noteLoss(world);
      await writeFromOutside(world, 'redis flush', ['DEL', ...world.keys()], () => loseAll(model));
      await outliveFences(world);
      return true;
    case 'recover':
      if (model.recovery === 'unnoticed') return await reconnects(world);
      return model.recovery < 3 && (await windowPasses(world, model.recovery));
    case 'reconnect':
      return await reconnects(world);
    case 'copy': {
      const stored = await redis.read('copy', (client) =>
        Promise.all(
          world.keys().map(async (key) => {
            const [value, untilMs] = await Promise.all([client.dumpBuffer(key), client.call('PEXPIRETIME', key)]);
            return { key, value, untilMs: Math.max(0, Number(untilMs)) };
          }),
        ),
      );
      const keys = stored.flatMap(({ value, ...rest }) => (value === null ? [] : [{ ...rest, value }]));
      world.copy = { keys, model: structuredClone(model), ended: new Map(world.ended) };
      return true;
    }
    case 'fail-over':
      return await failsOver(world);
    default:
      return unreachable(act);
  }
}

/** Somebody asks whose data this is. */
async function reconnects(world: World): Promise<boolean> {
  const { model, redis } = world;
  await world.act(
    'redis is asked whose data this is',
    () => note(redis, world.server),
    () => {
      const unnoticed = model.recovery === 'unnoticed';
      if (unnoticed) model.recovery = 0;
      return { text: unnoticed ? 'changed' : 'same', unchanged: !unnoticed };
    },
  );
  return true;
}

/** A worker that was not heard since the loss is trusted no more after the first window, and has no runner after the second. */
async function windowPasses(world: World, before: number): Promise<boolean> {
  const { model, redis } = world;
  const windows = before === 0 ? 1 : before === 1 ? 2 : 3;
  for (const { attempt } of world.workers) {
    if (attempt === undefined || attempt.heard) continue;
    attempt.trusted = false;
    if (windows >= 2) attempt.runner = 'gone';
  }
  // Longer than a lock lives.
  for (const { claim } of world.claimers) {
    if (claim !== undefined && windows >= 2 && model.locks[claim.ticket] !== claim.hold.token) claim.lapsed = true;
  }
  const { recoveryClaimsMs, recoveryStartsMs, recoveryRepairMs } = TIMING;
  const ago = [0, recoveryClaimsMs, recoveryStartsMs, recoveryRepairMs][windows] ?? 0;
  const since = (await redis.timeMs()) - ago;
  await writeFromOutside(
    world,
    `redis window ${windows} passes`,
    ['HSET', redis.keys.incarnation, 'since', String(since)],
    () => {
      model.recovery = windows;
    },
  );
  return true;
}

/** The copy is all there is now, on another server; what Redis was told after it is lost, what the world knows is not. */
async function failsOver(world: World): Promise<boolean> {
  const { copy, model, redis } = world;
  if (copy === undefined) return false;
  world.copy = undefined;
  world.server += 1;
  noteLoss(world);
  await outliveFences(world);
  world.ended.clear();
  for (const [id, ended] of copy.ended) world.ended.set(id, ended);
  await world.act(
    'redis fail-over',
    async () => {
      await redis.read('fail over', async (client) => {
        await client.del(world.keys());
        await Promise.all(copy.keys.map(({ key, value, untilMs }) => client.restore(key, untilMs, value, 'ABSTTL')));
      });
      return await note(redis, world.server);
    },
    () => {
      const { highest } = model;
      Object.assign(model, structuredClone(copy.model), { recovery: 0, highest });
      return 'changed';
    },
  );
  return true;
}
