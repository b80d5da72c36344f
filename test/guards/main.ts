/**
 * `npm run mutants`: takes every guard of the protocol out, one by one, and runs the tests that are to notice. First of all
 * those tests must pass as things are. Exit 1 when a guard is not missed by anybody, or could not be tried.
 */
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { untilSignalled } from '../../src/cli/process.ts';
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

const MOST_TRIES = 3;

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
  let files = [...new Set(guards.flatMap(({ killedBy }) => killedBy))];
  for (let tries = 1; ; tries += 1) {
    say(`${guards.length} guards; first ${files.length} test files as they are ...`);
    const run = await runTests(tree, files, { signal });
    if (run.kind === 'passed') return;
    const why = run.kind === 'failed' ? run.by.text : run.why;
    const failed = run.kind === 'failed' ? [...new Set(run.by.tests.map(({ file }) => file))] : [];
    // On a busy machine one may fail by chance: those that did are asked once more.
    if (failed.length === 0 || tries === MOST_TRIES) throw new Error(`tests fail with every guard in place: ${why}`);
    say(`failed: ${why}`);
    files = failed;
  }
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

try {
  process.exitCode = (await main(untilSignalled())) ? 0 : 1;
} catch (error) {
  say(`mutants: ${messageOf(error)}`);
  process.exitCode = 1;
}
