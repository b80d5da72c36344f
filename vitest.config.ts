import { defineConfig } from 'vitest/config';
import { createClosingLineReporter } from './test/support/closing-line-reporter.ts';
import { SlowFirstSequencer } from './test/support/slow-first-sequencer.ts';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Longer ones, with a command of their own: vitest.proofs.config.ts.
    exclude: ['test/proofs/**'],
    // Processes, because tests send signals. Five on the two cores of CI, because most of the time is waiting.
    pool: 'forks',
    maxWorkers: 5,
    // One process works off file after file: loading everything anew for each file cost a third of the whole CPU time.
    // No module of src keeps state, and what a file changes in the process fails it (leak-check).
    isolate: false,
    sequence: { sequencer: SlowFirstSequencer },
    testTimeout: 20_000,
    hookTimeout: 30_000,
    teardownTimeout: 10_000,
    globalSetup: ['test/support/global-setup.ts'],
    setupFiles: ['test/support/leak-check.ts'],
    reporters: ['default', createClosingLineReporter()],
  },
});
