/**
 * The harness proves itself: a run that notices nothing proves nothing. The guards that keep one promise are taken out of
 * the replicas, and the short form is played with one seed after another until the verdict says what must be seen then.
 */
import { rm } from 'node:fs/promises';
import { tableLines } from '../../src/cli/table.ts';
import type { RedisServer } from '../../src/redis/embedded/redis-server.ts';
import { runChaos } from './run.ts';
import { SABOTAGES, type Sabotage } from './sabotages.ts';
import { SHORT_FORM } from './settings.ts';

export interface Proof {
  readonly sabotage: Sabotage;
  /** That noticed; undefined when none did. */
  readonly seed: number | undefined;
  /** What was seen, in words. */
  readonly seen: string;
}

export interface ProveOptions {
  /** Only what takes one of these guards out; undefined = all. */
  readonly guards?: readonly string[];
  readonly seeds: number;
  readonly jobs: number;
  readonly server: RedisServer;
  readonly report: (text: string) => void;
  readonly signal: AbortSignal;
}

export async function proveHarness(options: ProveOptions): Promise<readonly Proof[]> {
  const { guards, report, signal } = options;
  const waiting = SABOTAGES.filter(
    ({ without }) => guards === undefined || without.some((name) => guards.includes(name)),
  );
  const proofs: Proof[] = [];
  const job = async (): Promise<void> => {
    for (let sabotage = waiting.shift(); sabotage !== undefined && !signal.aborted; sabotage = waiting.shift()) {
      const proof = await prove(sabotage, options);
      proofs.push(proof);
      const noticed = proof.seed === undefined ? 'not noticed' : `noticed by seed ${proof.seed}`;
      report(`${sabotage.without.join(', ')}: ${noticed} (${proof.seen})`);
    }
  };
  await Promise.all(Array.from({ length: options.jobs }, job));
  return proofs;
}

async function prove(sabotage: Sabotage, { seeds, server, signal }: ProveOptions): Promise<Proof> {
  const { without, play } = sabotage;
  for (let seed = 1; seed <= seeds && !signal.aborted; seed += 1) {
    const settings = { ...SHORT_FORM, ...play, seed, without, report: () => undefined };
    const { verdict, crashes, dir } = await runChaos(settings, server, signal);
    if (dir !== undefined) await rm(dir, { recursive: true, force: true });
    // Whoever breaks a run off leaves tickets open: that is no loss.
    if (signal.aborted) break;
    // Not what a missing guard looks like: then the proof itself is broken.
    const [crash] = crashes;
    if (crash !== undefined) throw new Error(`without ${without.join(', ')}: ${crash}`);
    const problem = verdict.problems.find(({ kind }) => sabotage.seen.includes(kind));
    if (problem !== undefined) return { sabotage, seed, seen: `${problem.kind}: ${problem.text}` };
  }
  return { sabotage, seed: undefined, seen: 'all went well' };
}

export function describeProofs(proofs: readonly Proof[]): string[] {
  const rows = proofs.map(({ sabotage, seed, seen }) => [sabotage.keeps, String(seed ?? '-'), seen]);
  const noticed = proofs.filter(({ seed }) => seed !== undefined).length;
  return [
    ...tableLines([['taken out', 'seed', 'seen'], ...rows]),
    `prove: ${proofs.length} promises, ${noticed} noticed, ${proofs.length - noticed} not noticed`,
  ];
}
