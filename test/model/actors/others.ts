/** Everybody who has no memory worth a file: people, the stale-job detector, time, and Redis itself. */
import { lifecyclesOf } from '../../../src/domain/lifecycle.ts';
import { isTerminal } from '../../../src/domain/run.ts';
import { unreachable } from '../../../src/foundation/errors.ts';
import * as protocol from '../model.ts';
import { keyOf } from '../paper-platform.ts';
import type { Step } from '../steps.ts';
import { keysOfList } from '../view.ts';
import { currentRun, note, noteLoss, outliveFences, TIMING, type World } from '../world.ts';
import { attemptAtWork } from './worker.ts';

type StepBy<By extends Step['by']> = Extract<Step, { by: By }>;

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
  await write(world, `somebody cancels ${id}`, ['HSET', world.redis.keys.run(id), 'cancelRequested', 'a person'], () => {
    run.cancel = true;
  });
  return true;
}

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
      async () => await world.attemptRecords.finish(name, end),
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

export async function timeActs(world: World, { act, ticket }: StepBy<'time'>): Promise<boolean> {
  const { model, redis } = world;
  const key = keyOf(ticket);
  const entry = model.tickets[ticket];
  switch (act) {
    case 'lock': {
      const token = model.locks[ticket];
      if (token === undefined) return false;
      for (const { claim } of world.claimers) if (claim?.hold.token === token) claim.lapsed = true;
      await write(world, `the lock of ticket ${ticket} expires`, ['DEL', redis.keys.claimLock('github', key)], () => {
        delete model.locks[ticket];
      });
      return true;
    }
    case 'heartbeat': {
      const beating = model.heartbeats[ticket];
      if (beating === undefined) return false;
      // No beat was accepted for longer than trust lasts.
      for (const { attempt } of world.workers) {
        if (attempt === undefined || protocol.heartbeatOf(attempt.name) !== beating) continue;
        attempt.runner = 'gone';
        attempt.trusted = false;
      }
      await write(world, `the heartbeat of ticket ${ticket} expires`, ['DEL', redis.keys.heartbeat(key)], () => {
        delete model.heartbeats[ticket];
      });
      return true;
    }
    case 'back-off':
      if (entry?.backingOff !== true) return false;
      await write(world, `ticket ${ticket} has backed off`, ['HSET', redis.keys.ticket(key), 'backoffUntil', '1'], () => {
        entry.backingOff = false;
      });
      return true;
    case 'day':
      if (entry === undefined || entry.starts === 0) return false;
      await write(world, `a day passes for ticket ${ticket}`, ['HSET', redis.keys.ticket(key), 'starts', '1'], () => {
        entry.starts = 0;
      });
      return true;
    case 'run': {
      const [id, run] = Object.entries(model.runs).find(([, one]) => one.ticket === ticket && one.expires) ?? [];
      if (id === undefined || run === undefined) return false;
      const { state } = run;
      // A month later nobody tells of it any more.
      if (world.workers.some(({ attempt }) => attempt?.name.run === id)) return false;
      for (const worker of world.workers) worker.ended = worker.ended.filter(({ attempt }) => attempt.name.run !== id);
      await redis.read('retention', (client) => client.zrem(keysOfList(redis, state), id));
      await write(world, `the record of ${id} expires`, ['DEL', redis.keys.run(id)], () => {
        delete model.runs[id];
        model.lists[state] = model.lists[state].filter((other) => other !== id);
      });
      return true;
    }
    case 'ticket':
      // It outlives its runs by sixty days.
      if (entry?.expires !== true || Object.values(model.runs).some((run) => run.ticket === ticket)) return false;
      await write(world, `the record of ticket ${ticket} expires`, ['DEL', redis.keys.ticket(key)], () => {
        delete model.tickets[ticket];
      });
      return true;
    default:
      return unreachable(act);
  }
}

export async function redisActs(world: World, { act }: StepBy<'redis'>): Promise<boolean> {
  const { model, redis } = world;
  switch (act) {
    case 'flush':
      noteLoss(world);
      await write(world, 'redis flush', ['DEL', ...world.keys()], () => protocol.loseAll(model));
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
  await write(world, `redis window ${windows} passes`, ['HSET', redis.keys.incarnation, 'since', String(since)], () => {
    model.recovery = windows;
  });
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

/** What nobody of the house writes: a key that is changed from outside, in reality and in the model. */
async function write(world: World, what: string, command: [string, ...string[]], change: () => void): Promise<void> {
  const [name, ...args] = command;
  await world.act(
    what,
    async () => {
      await world.redis.read(what, (client) => client.call(name, ...args));
      return 'so it is';
    },
    () => {
      change();
      return 'so it is';
    },
  );
}
