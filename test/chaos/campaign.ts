/**
 * A campaign: chaos runs with one seed after another until so many ticket lifecycles have been walked through. Each run
 * that has ended is one line of a file, so that a campaign which was broken off goes on from there, and what is claimed
 * can be added up by anybody.
 */
import { appendFile, readFile } from 'node:fs/promises';
import type { RedisServer } from '../../src/redis/embedded/redis-server.ts';
import { createChance } from './chance.ts';
import { describeResult, isGood } from './report.ts';
import { runChaos } from './run.ts';
import { type ChaosSettings, FAULT_KINDS, replayCommand } from './settings.ts';
import { isPlayed, type Problem } from './verdict.ts';

/** One line of the file. */
export interface CampaignLine {
  readonly seed: number;
  /** What it was played on: a commit, and `+` when the tree differed from it. */
  readonly version: string;
  readonly command: string;
  readonly scale: number;
  readonly replicas: number;
  readonly tickets: number;
  /** Commands that ended by themselves. */
  readonly lifecycles: number;
  readonly endedByFault: number;
  readonly repeated: number;
  readonly saidAgain: number;
  readonly besideFrozen: number;
  readonly machine: number;
  readonly labelEdits: number;
  /** By `kind: name`. */
  readonly faults: Readonly<Record<string, number>>;
  readonly hitWork: number;
  readonly wallMs: number;
  readonly good: boolean;
  readonly problems: readonly Problem[];
  readonly crashes: readonly string[];
}

export interface CampaignOptions {
  readonly file: string;
  /** The sum to reach. */
  readonly lifecycles: number;
  readonly firstSeed: number;
  /** Runs side by side: they wait more than they work. */
  readonly jobs: number;
  readonly version: string;
  readonly server: RedisServer;
  readonly report: (text: string) => void;
  readonly signal: AbortSignal;
}

/** Resolves with all lines of the file when the sum is reached, or the signal aborts. A bad run does not end it. */
export async function runCampaign(options: CampaignOptions): Promise<readonly CampaignLine[]> {
  const { file, report, signal } = options;
  const lines = await readCampaign(file);
  let seed = Math.max(options.firstSeed - 1, ...lines.map((line) => line.seed));
  const reached = (): number => lines.reduce((sum, { lifecycles }) => sum + lifecycles, 0);

  const job = async (): Promise<void> => {
    while (reached() < options.lifecycles && !signal.aborted) {
      seed += 1;
      const settings = settingsOf(seed);
      const result = await runChaos(settings, options.server, signal);
      // Broken off in the middle: it says nothing.
      if (signal.aborted) return;
      const line = lineOf(result, settings, options.version);
      lines.push(line);
      await addToCampaign(file, line);
      if (!line.good) for (const text of describeResult(result, settings)) report(text);
      report(
        `seed ${line.seed}: ${line.lifecycles} lifecycles in ${(line.wallMs / 1000).toFixed(0)} s, ` +
          `${reached()} of ${options.lifecycles} in ${lines.length} runs, ${lines.filter(({ good }) => !good).length} bad`,
      );
    }
  };
  await Promise.all(Array.from({ length: options.jobs }, job));
  return lines;
}

/** What a seed plays: mostly everything at once, sometimes one kind alone, few or many replicas, fast or slow. */
function settingsOf(seed: number): ChaosSettings {
  const chance = createChance(seed, 'settings');
  const one = chance.pick(FAULT_KINDS);
  return {
    seed,
    tickets: Math.round(chance.between(500, 1_500)),
    replicas: chance.pick([2, 3, 3, 4]),
    faults: chance.happens(0.8) ? FAULT_KINDS : [one],
    scale: chance.pick([0.05, 0.05, 0.1]),
    pace: chance.pick([20, 30, 40]),
    calm: chance.pick([0.5, 1, 1, 2]),
    long: 0.08,
    longest: 2,
    without: [],
    report: () => undefined,
  };
}

/** The line of one run. */
export function lineOf(
  result: Awaited<ReturnType<typeof runChaos>>,
  settings: ChaosSettings,
  version: string,
): CampaignLine {
  const { verdict, faults, wallMs, crashes } = result;
  const counted: Record<string, number> = {};
  for (const { kind, name } of faults.filter(isPlayed))
    counted[`${kind}: ${name}`] = (counted[`${kind}: ${name}`] ?? 0) + 1;
  return {
    seed: settings.seed,
    version,
    command: replayCommand(settings),
    scale: settings.scale,
    replicas: settings.replicas,
    tickets: verdict.tickets,
    lifecycles: verdict.ended,
    endedByFault: verdict.gone,
    repeated: verdict.repeated,
    saidAgain: verdict.saidAgain,
    besideFrozen: verdict.besideFrozen,
    machine: verdict.machine,
    labelEdits: verdict.labelEdits,
    faults: counted,
    hitWork: verdict.hitWork,
    wallMs: Math.round(wallMs),
    good: isGood(result),
    problems: verdict.problems,
    crashes,
  };
}

export async function addToCampaign(file: string, line: CampaignLine): Promise<void> {
  await appendFile(file, `${JSON.stringify(line)}\n`);
}

/** All lines of the file; none when there is no file yet. */
export async function readCampaign(file: string): Promise<CampaignLine[]> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
  return text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as CampaignLine]));
}
