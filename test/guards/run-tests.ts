/** Runs test files in a scratch tree and says which tests failed. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { signalGroup } from '../../src/worker/guard/process-group.ts';
import type { ScratchTree } from './scratch-tree.ts';

export type TestRun = { readonly seconds: number } & (
  | { readonly kind: 'passed' }
  | { readonly kind: 'failed'; readonly by: Failure }
  /** No test came to run: the program is broken, and nothing is shown by that. */
  | { readonly kind: 'broken'; readonly why: string }
);

export interface Failure {
  /** In words. */
  readonly text: string;
  /** In order; none when it was something beside the tests. */
  readonly tests: readonly NamedTest[];
}

/** `file` is a path under test/, without `.test.ts`. */
export interface NamedTest {
  readonly file: string;
  readonly name: string;
}

export interface RunTestsOptions {
  /** This test of the files alone. */
  readonly only?: string;
  readonly signal: AbortSignal;
}

/** Each test ends within its own time; a whole run that does not is stuck, and that is a failure too. */
const LONGEST_RUN_MS = 180_000;
const VITEST = 'node_modules/vitest/vitest.mjs';

/** The part of Vitest's JSON report that is read here. */
interface Report {
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly message: string;
    readonly assertionResults: readonly {
      readonly ancestorTitles: readonly string[];
      readonly title: string;
      readonly status: string;
    }[];
  }[];
}

/** Between a test and the suite that it is in, as Vitest matches names. */
const IN_SUITE = ' > ';
const NOTHING_REPORTED = '{"testResults":[]}';

/** `files` are paths under test/, without `.test.ts`. */
export async function runTests(
  tree: ScratchTree,
  files: readonly string[],
  { only, signal }: RunTestsOptions,
): Promise<TestRun> {
  const folder = await mkdtemp(path.join(tmpdir(), 'agent-smith-report-'));
  const report = path.join(folder, 'report.json');
  const startedMs = performance.now();
  try {
    const args = ['run', ...files.map((file) => `test/${file}.test.ts`), '--reporter=json', `--outputFile=${report}`];
    if (only !== undefined) args.push(`--testNamePattern=^${only.replaceAll(/[$()*+./?[\\\]^{|}-]/g, '\\$&')}$`);
    const { exitCode, timedOut } = await runInGroup([VITEST, ...args], tree.dir, signal);
    signal.throwIfAborted();
    const seconds = (performance.now() - startedMs) / 1000;
    if (exitCode === 0) return { kind: 'passed', seconds };
    if (timedOut) return { kind: 'failed', by: { text: 'the tests do not end', tests: [] }, seconds };
    const read = JSON.parse(await readFile(report, 'utf8').catch(() => NOTHING_REPORTED)) as Report;
    return { ...verdictOf(tree, read), seconds };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** In a process group of its own: what a test without one of our guards leaves behind goes with it. */
async function runInGroup(
  args: readonly string[],
  cwd: string,
  signal: AbortSignal,
): Promise<{ readonly exitCode?: number | undefined; readonly timedOut: boolean }> {
  // No pipes: whoever is left behind would hold them open.
  const child = execa(process.execPath, args, {
    cwd,
    reject: false,
    stdio: 'ignore',
    detached: true,
    timeout: LONGEST_RUN_MS,
    cancelSignal: signal,
  });
  const ended = await child;
  if (child.pid !== undefined) signalGroup(child.pid, 'SIGKILL');
  return ended;
}

function verdictOf(
  tree: ScratchTree,
  { testResults }: Report,
): { readonly kind: 'failed'; readonly by: Failure } | { readonly kind: 'broken'; readonly why: string } {
  const failures = testResults.flatMap(({ name, assertionResults }) => {
    const file = path.relative(path.join(tree.dir, 'test'), name).replace('.test.ts', '');
    return assertionResults.flatMap(({ ancestorTitles, title, status }) =>
      status === 'failed' ? [{ file, name: [...ancestorTitles, title].join(IN_SUITE) }] : [],
    );
  });
  const [first, ...others] = failures;
  if (first !== undefined) {
    const more = others.length === 0 ? '' : ` (and ${others.length} more)`;
    return { kind: 'failed', by: { text: `${first.file}: ${first.name}${more}`, tests: failures } };
  }
  const [problem] = testResults.flatMap(({ status, message }) => (status === 'failed' ? [message] : []));
  const ran = testResults.some(({ assertionResults }) => assertionResults.some(({ status }) => status === 'passed'));
  if (ran)
    return { kind: 'failed', by: { text: problem?.split('\n')[0] ?? 'an error outside of the tests', tests: [] } };
  return { kind: 'broken', why: problem ?? 'no test ran' };
}
