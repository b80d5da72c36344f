/** Time: what has a time to live comes to its end. */
import { unreachable } from '../../../src/foundation/errors.ts';
import { admit, backInLine } from '../admission-model.ts';
import { heartbeatOf } from '../attempt-model.ts';
import { passed } from '../model.ts';
import { keyOf, PAPER_PROJECT } from '../paper-platform.ts';
import type { StepBy } from '../steps.ts';
import { keysOfList } from '../view.ts';
import { type World, writeFromOutside } from '../world.ts';
import { feeds } from './feeder.ts';

export async function timeActs(world: World, { act, ticket }: StepBy<'time'>): Promise<boolean> {
  const { model, redis } = world;
  const key = keyOf(ticket);
  const entry = model.tickets[ticket];
  switch (act) {
    case 'lock': {
      const token = model.locks[ticket];
      if (token === undefined) return false;
      for (const { claim } of world.claimers) if (claim?.hold.token === token) claim.lapsed = true;
      await writeFromOutside(
        world,
        `the lock of ticket ${ticket} expires`,
        ['DEL', redis.keys.claimLock('github', key)],
        () => {
          delete model.locks[ticket];
        },
      );
      return true;
    }
    case 'heartbeat': {
      const beating = model.heartbeats[ticket];
      if (beating === undefined) return false;
      // No beat was accepted for longer than trust lasts.
      for (const { attempt } of world.workers) {
        if (attempt === undefined || heartbeatOf(attempt.name) !== beating) continue;
        attempt.runner = 'gone';
        attempt.trusted = false;
      }
      await writeFromOutside(
        world,
        `the heartbeat of ticket ${ticket} expires`,
        ['DEL', redis.keys.heartbeat(key)],
        () => {
          delete model.heartbeats[ticket];
        },
      );
      return true;
    }
    case 'back-off':
      if (entry?.backingOff !== true) return false;
      await writeFromOutside(
        world,
        `ticket ${ticket} has backed off`,
        ['HSET', redis.keys.ticket(key), 'backoffUntil', '1'],
        () => {
          entry.backingOff = false;
        },
      );
      return true;
    case 'put-off': {
      const own = Object.keys(model.runs).filter((one) => model.runs[one]?.ticket === ticket);
      const id = own.find((one) => model.fairUse.putOff.includes(one));
      // While Redis recovers nobody asks for it. How long the line is at whose end it stands after that is not of this model.
      if (id === undefined || !passed(model, 2) || (model.runs[id]?.postponed ?? 0) > 3) return false;
      const due: [string, number, string] = [redis.keys.putOff(PAPER_PROJECT.name), 0, id];
      await world.act(
        `${id} may be tried again, and a replica feeds the queue`,
        async () => {
          await redis.read('time passes', (client) => client.zadd(...due));
          return await feeds(world);
        },
        () => {
          backInLine(model, id);
          return admit(model);
        },
      );
      return true;
    }
    case 'day':
      if (entry === undefined || entry.starts === 0) return false;
      await writeFromOutside(
        world,
        `a day passes for ticket ${ticket}`,
        ['HSET', redis.keys.ticket(key), 'starts', '1'],
        () => {
          entry.starts = 0;
        },
      );
      return true;
    case 'run': {
      const [id, run] = Object.entries(model.runs).find(([, one]) => one.ticket === ticket && one.expires) ?? [];
      if (id === undefined || run === undefined) return false;
      const { state } = run;
      // A month later nobody tells of it any more.
      if (world.workers.some(({ attempt }) => attempt?.name.run === id)) return false;
      for (const worker of world.workers) worker.ended = worker.ended.filter(({ attempt }) => attempt.name.run !== id);
      await redis.read('retention', (client) => client.zrem(keysOfList(redis, state), id));
      await writeFromOutside(world, `the record of ${id} expires`, ['DEL', redis.keys.run(id)], () => {
        delete model.runs[id];
        model.lists[state] = model.lists[state].filter((other) => other !== id);
      });
      return true;
    }
    case 'ticket':
      // It outlives its runs by sixty days.
      if (entry?.expires !== true || Object.values(model.runs).some((run) => run.ticket === ticket)) return false;
      await writeFromOutside(world, `the record of ticket ${ticket} expires`, ['DEL', redis.keys.ticket(key)], () => {
        delete model.tickets[ticket];
      });
      return true;
    default:
      return unreachable(act);
  }
}
