/**
 * The harness proves itself: a run that notices nothing proves nothing. Each guard of the protocol whose loss can be seen
 * from outside is taken out of the replicas, and the short form is played with one seed after another until one notices.
 */
import { rm } from 'node:fs/promises';
import { tableLines } from '../../src/cli/table.ts';
import type { RedisServer } from '../../src/redis/embedded/redis-server.ts';
import { GUARDS } from '../guards/guards.ts';
import { runChaos } from './run.ts';
import { SHORT_FORM } from './settings.ts';

export interface Proof {
  readonly guard: string;
  /** That noticed; undefined when none did. */
  readonly seed: number | undefined;
  /** What was seen, in words. */
  readonly seen: string;
}

export interface ProveOptions {
  readonly guards?: readonly string[];
  readonly seeds: number;
  readonly jobs: number;
  readonly server: RedisServer;
  readonly report: (text: string) => void;
  readonly signal: AbortSignal;
}

export async function proveHarness(options: ProveOptions): Promise<readonly Proof[]> {
  const { report, signal } = options;
  const visible = GUARDS.filter(({ seenFromOutside }) => seenFromOutside === true).map(({ name }) => name);
  const waiting = [...(options.guards ?? visible)];
  const proofs: Proof[] = [];
  const job = async (): Promise<void> => {
    for (let guard = waiting.shift(); guard !== undefined && !signal.aborted; guard = waiting.shift()) {
      const proof = await prove(guard, options);
      proofs.push(proof);
      report(`${guard}: ${proof.seed === undefined ? 'not noticed' : `noticed by seed ${proof.seed}`} (${proof.seen})`);
    }
  };
  await Promise.all(Array.from({ length: options.jobs }, job));
  return proofs;
}

async function prove(guard: string, { seeds, server, signal }: ProveOptions): Promise<Proof> {
  for (let seed = 1; seed <= seeds && !signal.aborted; seed += 1) {
    const settings = { ...SHORT_FORM, seed, without: [guard], report: () => undefined };
    const { verdict, crashes, dir } = await runChaos(settings, server, signal);
    if (dir !== undefined) await rm(dir, { recursive: true, force: true });
    // A run that is broken off leaves tickets open: what it was broken off for says more.
    const problem = verdict.problems.find(({ kind }) => kind !== 'lost') ?? verdict.problems[0];
    const [crash] = crashes;
    if (problem !== undefined) return { guard, seed, seen: `${problem.kind}: ${problem.text}` };
    // Not what a missing guard looks like: then the proof itself is broken.
    if (crash !== undefined) throw new Error(`without ${guard}: ${crash}`);
  }
  return { guard, seed: undefined, seen: 'all went well' };
}

export function describeProofs(proofs: readonly Proof[]): string[] {
  const rows = proofs.map(({ guard, seed, seen }) => [guard, String(seed ?? '-'), seen]);
  const noticed = proofs.filter(({ seed }) => seed !== undefined).length;
  return [
    ...tableLines([['taken out', 'seed', 'seen'], ...rows]),
    `prove: ${proofs.length} guards, ${noticed} noticed, ${proofs.length - noticed} not noticed`,
  ];
}
