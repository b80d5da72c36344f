/**
 * The very last line of a test run, `N passed, N failed`, counted from the runner's own results. It is written while the
 * process exits, after everything else, and it never contradicts the exit code: a run that ends badly without a failed
 * test (a file that does not load, an unhandled error, a broken setup) has at least one failure.
 */
import type { Reporter, TestModule } from 'vitest/node';

interface Tally {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

export function createClosingLineReporter(): Reporter {
  let tally: Tally = { passed: 0, failed: 0, skipped: 0 };
  return {
    onInit() {
      process.once('exit', (code) => {
        const failed = code === 0 ? tally.failed : Math.max(1, tally.failed);
        process.stdout.write(`${closingLine({ ...tally, failed })}\n`);
      });
    },
    onTestRunEnd(modules, unhandledErrors) {
      tally = count(modules, unhandledErrors.length);
    },
  };
}

function closingLine({ passed, failed, skipped }: Tally): string {
  return `${passed} passed, ${failed} failed${skipped === 0 ? '' : `, ${skipped} skipped`}`;
}

/** Errors of a file or a suite (it does not load, a hook throws) count beside those of the tests in it. */
function count(modules: readonly TestModule[], unhandledErrors: number): Tally {
  const tally = { passed: 0, failed: unhandledErrors, skipped: 0 };
  for (const module of modules) {
    for (const suite of [module, ...module.children.allSuites()]) if (suite.errors().length > 0) tally.failed += 1;
    for (const test of module.children.allTests()) {
      const { state } = test.result();
      // A test that never came to its end was cut off by an error that is counted, or by the user.
      tally[state === 'pending' ? 'skipped' : state] += 1;
    }
  }
  return tally;
}
