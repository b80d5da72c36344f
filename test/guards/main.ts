/**
 * `npm run mutants`: takes every guard of the protocol out, one by one, and runs the tests that are to notice. First of all
 * those tests must pass as things are. Exit 1 when a guard is not missed by anybody, or could not be tried.
 */
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { messageOf } from '../../src/foundation/errors.ts';
import { fileOf, type Guard, withoutGuard } from './guard.ts';
import { GUARDS, guardsNamed } from './guards.ts';
import { closingLine, markdownOf, tableOf, trialLine } from './report.ts';
import { runTests } from './run-tests.ts';
import { openScratchTree, type ScratchTree } from './scratch-tree.ts';
import { type Trial, tryGuard } from './try-guard.ts';

const HELP = `npm run mutants -- [--only NAME,NAME] [--jobs N] [--markdown FILE]
  --only NAME,NAME  these guards alone: WHERE:WHAT is one, WHAT alone all of that name
  --jobs N          so many at a time; default 1
  --markdown FILE   writes the table for docs/`;

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

const say = (text: string): void => void process.stderr.write(`${text}\n`);
const print = (text: string): void => void process.stdout.write(`${text}\n`);

/** Tries them in as many trees as there are jobs; in the order of the list, whoever was ready first. */
async function tryAll(guards: readonly Guard[], trees: readonly ScratchTree[], signal: AbortSignal): Promise<Trial[]> {
  const trials = new Map<Guard, Trial>();
  const waiting = guards.values();
  await Promise.all(
    trees.map(async (tree) => {
      for (const guard of waiting) {
        const trial = await tryGuard(tree, guard, signal);
        trials.set(guard, trial);
        say(`[${trials.size}/${guards.length}] ${trialLine(trial)}`);
      }
    }),
  );
  return guards.flatMap((guard) => trials.get(guard) ?? []);
}

/** Throws when a guard does not stand where the list says, or when a test fails that nobody has touched. */
async function checkFirst(guards: readonly Guard[], tree: ScratchTree, signal: AbortSignal): Promise<void> {
  for (const guard of guards) withoutGuard(guard, await tree.read(fileOf(guard)));
  const files = [...new Set(guards.flatMap(({ killedBy }) => killedBy))];
  say(`${guards.length} guards; first the ${files.length} test files as they are ...`);
  const run = await runTests(tree, files, { all: true, signal });
  if (run.kind !== 'passed')
    throw new Error(`tests fail with every guard in place: ${run.kind === 'failed' ? run.by.text : run.why}`);
  say(`they pass (${run.seconds.toFixed(1)} s)`);
}

async function main(signal: AbortSignal): Promise<boolean> {
  const { values } = parseArgs({
    options: {
      only: { type: 'string' },
      jobs: { type: 'string', default: '1' },
      markdown: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    print(HELP);
    return true;
  }
  const jobs = Number(values.jobs);
  if (!Number.isInteger(jobs) || jobs < 1) throw new Error('--jobs takes a whole number from 1');
  const guards = values.only === undefined ? GUARDS : [...new Set(values.only.split(',').flatMap(guardsNamed))];
  const trees = await Promise.all(Array.from({ length: jobs }, () => openScratchTree(ROOT)));
  try {
    const [first] = trees;
    if (first !== undefined) await checkFirst(guards, first, signal);
    const trials = await tryAll(guards, trees, signal);
    if (values.markdown !== undefined) await writeFile(values.markdown, markdownOf(trials));
    print(tableOf(trials));
    print(closingLine(trials));
    return trials.every(({ outcome }) => outcome === 'killed');
  } finally {
    await Promise.all(trees.map((tree) => tree.remove()));
  }
}

const asked = new AbortController();
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(name, () => asked.abort(new Error(name)));
try {
  process.exitCode = (await main(asked.signal)) ? 0 : 1;
} catch (error) {
  say(`mutants: ${messageOf(error)}`);
  process.exitCode = 1;
}
