/** Processes that die, and processes that stand still. */
import { sleep } from '../../../src/foundation/loop.ts';
import type { Replica } from '../replica.ts';
import { absenceMs, type Fault, type Stage } from './fault.ts';

const REPLACED_AFTER_MS = 1_000;

export const KILL_FAULTS: readonly Fault[] = [
  async function killReplica(stage) {
    const victim = pickReplica(stage);
    const over = stage.begin('SIGKILL', victim.name, worksOn(stage, victim));
    await victim.kill();
    await replace(stage, victim);
    over();
  },
  async function killGuard(stage) {
    const victim = pickReplica(stage);
    const over = stage.begin('SIGKILL of the guard', victim.name, worksOn(stage, victim));
    victim.killGuard();
    over();
  },
  async function rollingRestart(stage) {
    const { replicas, witness } = stage.world;
    const over = stage.begin('rolling restart', 'all replicas', witness.alive() > 0);
    for (const replica of replicas) {
      await replica.end();
      await replace(stage, replica);
    }
    over();
  },
  async function killAll(stage) {
    const { replicas, witness } = stage.world;
    const over = stage.begin('SIGKILL', 'all replicas', witness.alive() > 0);
    await Promise.all(replicas.map((replica) => replica.kill()));
    await Promise.all(replicas.map((replica) => replace(stage, replica)));
    over();
  },
];

export const PAUSE_FAULTS: readonly Fault[] = [
  (stage) => pause(stage, 'SIGSTOP', 'process'),
  (stage) => pause(stage, 'machine suspended', 'machine'),
];

export function pickReplica({ world, chance }: Stage): Replica {
  return chance.pick(world.replicas);
}

export function worksOn({ world }: Stage, replica: Replica): boolean {
  return world.witness.alive(replica.name) > 0;
}

async function replace({ chance, signal }: Stage, replica: Replica): Promise<void> {
  await sleep(chance.between(0, REPLACED_AFTER_MS), signal);
  replica.start();
}

async function pause(stage: Stage, name: string, what: 'process' | 'machine'): Promise<void> {
  const victim = pickReplica(stage);
  const over = stage.begin(name, victim.name, worksOn(stage, victim));
  const goOn = victim.pause(what);
  await sleep(absenceMs(stage), stage.signal);
  goOn();
  over();
}
