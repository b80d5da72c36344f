/** Redis that dies, hangs, forgets, is full, and the roads to it. */
import { Redis } from 'ioredis';
import { sleep } from '../../../src/foundation/loop.ts';
import type { LineState } from '../../support/tcp-proxy.ts';
import type { Replica } from '../replica.ts';
import { absenceMs, type Fault, type Stage } from './fault.ts';
import { pickReplica, worksOn } from './process-faults.ts';

export const REDIS_FAULTS: readonly Fault[] = [
  async function restartWithData(stage) {
    const over = beginAll(stage, 'SIGKILL, back with its data');
    await stage.world.redis.kill('SIGKILL');
    await sleep(absenceMs(stage), stage.signal);
    await stage.world.redis.restart();
    over();
  },
  async function restartWithoutData(stage) {
    const over = beginAll(stage, 'SIGKILL, back without its data');
    await stage.world.redis.kill('SIGKILL');
    await stage.world.forgetRedisData();
    await sleep(absenceMs(stage), stage.signal);
    await stage.world.redis.restart();
    over();
  },
  async function hang(stage) {
    const over = beginAll(stage, 'SIGSTOP');
    await stage.world.redis.kill('SIGSTOP');
    await sleep(absenceMs(stage), stage.signal);
    await stage.world.redis.kill('SIGCONT');
    over();
  },
  async function flushAll(stage) {
    const over = beginAll(stage, 'FLUSHALL');
    await ask(stage, ['FLUSHALL'], ['SCRIPT', 'FLUSH']);
    over();
  },
  async function killClients(stage) {
    const over = beginAll(stage, 'CLIENT KILL');
    await ask(stage, ['CLIENT', 'KILL', 'TYPE', 'normal'], ['CLIENT', 'KILL', 'TYPE', 'pubsub']);
    over();
  },
  async function fullMemory(stage) {
    const over = beginAll(stage, 'out of memory');
    await ask(stage, ['CONFIG', 'SET', 'maxmemory', '1']);
    await sleep(absenceMs(stage), stage.signal);
    await ask(stage, ['CONFIG', 'SET', 'maxmemory', '0']);
    over();
  },
  (stage) => cutOff(stage, 'black hole on the way to Redis', [pickReplica(stage)], 'black-hole'),
  (stage) => cutOff(stage, 'black hole on the way to Redis', stage.world.replicas, 'black-hole'),
  (stage) => cutOff(stage, 'connections to Redis refused', [pickReplica(stage)], 'refuse'),
  async function slowRoad(stage) {
    const victim = pickReplica(stage);
    const over = stage.begin('slow road to Redis', victim.name, worksOn(stage, victim));
    victim.line.setLatency(Math.round(stage.chance.between(0.1, 1.5) * stage.timing.redisCommandMs));
    await sleep(absenceMs(stage), stage.signal);
    victim.line.setLatency(0);
    over();
  },
];

function beginAll({ begin, world }: Stage, name: string): () => void {
  return begin(name, 'Redis', world.witness.alive() > 0);
}

async function cutOff(stage: Stage, name: string, victims: readonly Replica[], state: LineState): Promise<void> {
  const target = victims.map((victim) => victim.name).join(', ');
  const over = stage.begin(
    name,
    target,
    victims.some((victim) => worksOn(stage, victim)),
  );
  await Promise.all(victims.map(({ line }) => line.set(state)));
  await sleep(absenceMs(stage), stage.signal);
  await Promise.all(victims.map(({ line }) => line.set('pass')));
  over();
}

/** Over a connection of our own, past the replicas' roads. */
async function ask({ world }: Stage, ...commands: readonly (readonly [string, ...string[]])[]): Promise<void> {
  const client = new Redis(world.redis.url, { maxRetriesPerRequest: 1 });
  client.on('error', () => undefined);
  try {
    for (const [command, ...args] of commands) await client.call(command, ...args);
  } finally {
    client.disconnect();
  }
}
