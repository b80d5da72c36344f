/** One guard, taken out: which test notices? */
import { fileOf, type Guard, withoutGuard } from './guard.ts';
import { guardsNamed } from './guards.ts';
import { runTests, type TestRun } from './run-tests.ts';
import type { ScratchTree } from './scratch-tree.ts';

export interface Trial {
  readonly guard: Guard;
  /** `killed`: a test failed, twice. `error`: the program did not even load without it. */
  readonly outcome: 'killed' | 'survived' | 'error';
  /** Which test, or which error. */
  readonly by: string;
  /** The guard that had to go too, because it keeps the same promise. */
  readonly together?: string;
  readonly seconds: number;
}

/** A test that fails by chance, on a busy machine, kills nobody: what it says is asked for again. */
const MOST_TRIES = 3;

export async function tryGuard(tree: ScratchTree, guard: Guard, signal: AbortSignal): Promise<Trial> {
  const startedMs = performance.now();
  const trialOf = (run: TestRun): Omit<Trial, 'together'> => {
    const seconds = (performance.now() - startedMs) / 1000;
    switch (run.kind) {
      case 'passed':
        return { guard, outcome: 'survived', by: '', seconds };
      case 'failed':
        return { guard, outcome: 'killed', by: run.by.text, seconds };
      case 'broken':
        return { guard, outcome: 'error', by: run.why, seconds };
      default:
        return run satisfies never;
    }
  };
  const alone = await runWithout(tree, [guard], guard.killedBy, signal);
  if (alone.kind !== 'passed' || guard.coveredBy === undefined) return trialOf(alone);
  const both = await runWithout(tree, [guard, ...guardsNamed(guard.coveredBy)], guard.killedBy, signal);
  return { ...trialOf(both), together: guard.coveredBy };
}

async function runWithout(
  tree: ScratchTree,
  removed: readonly Guard[],
  files: readonly string[],
  signal: AbortSignal,
): Promise<TestRun> {
  const texts = new Map<string, string>();
  for (const guard of removed) {
    const file = fileOf(guard);
    texts.set(file, withoutGuard(guard, texts.get(file) ?? (await tree.read(file))));
  }
  return await tree.withTexts(texts, () => runUntilSure(tree, files, signal));
}

/** Up to the first file that notices for sure. */
async function runUntilSure(tree: ScratchTree, files: readonly string[], signal: AbortSignal): Promise<TestRun> {
  let run: TestRun = { kind: 'passed', seconds: 0 };
  for (const file of files) {
    for (let tries = 1; tries <= MOST_TRIES; tries += 1) {
      run = await runTests(tree, [file], { signal });
      const [first] = run.kind === 'failed' ? run.by.tests : [];
      if (first === undefined) break;
      const again = await runTests(tree, [file], { only: first.name, signal });
      if (again.kind !== 'passed') return run;
      run = again;
    }
    if (run.kind !== 'passed') return run;
  }
  return run;
}
