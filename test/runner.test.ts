/** The test runner's own plumbing, seen from outside: small suites that go wrong, run by a vitest of their own. */
import { access, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { expect, type TestContext, test } from 'vitest';
import { SLOW_FILES } from './support/slow-first-sequencer.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

const CONFIG = `
import { createClosingLineReporter } from '${ROOT}test/support/closing-line-reporter.ts';
export default { test: {
  include: ['*.test.ts'], pool: 'forks', isolate: false, maxWorkers: 2,
  setupFiles: ['${ROOT}test/support/leak-check.ts'],
  reporters: ['default', createClosingLineReporter()],
} };`;

/** Runs test files, by name, and returns the exit code, the last line and the whole output. */
async function runSuite({ onTestFinished }: TestContext, files: Record<string, string>) {
  // Inside the clone, where vitest is found.
  await mkdir(path.join(ROOT, '.cache'), { recursive: true });
  const dir = await mkdtemp(path.join(ROOT, '.cache', 'runner-test-'));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  await writeFile(path.join(dir, 'vitest.config.ts'), CONFIG);
  for (const [name, body] of Object.entries(files)) {
    await writeFile(path.join(dir, name), `import { beforeAll, expect, test } from 'vitest';\n${body}`);
  }
  const vitest = path.join(ROOT, 'node_modules', 'vitest', 'vitest.mjs');
  const { all, exitCode } = await execa(process.execPath, [vitest, 'run', '--root', dir], { all: true, reject: false });
  return { exitCode, output: all, lastLine: all.trimEnd().split('\n').at(-1) };
}

test.concurrent('a run that is well ends with its numbers and 0', async (context) => {
  const { exitCode, lastLine } = await runSuite(context, {
    'a.test.ts': `test('one', () => {}); test('two', () => {}); test.skip('three', () => {});`,
    'b.test.ts': `test('timer that is cleared', () => { clearTimeout(setTimeout(() => {}, 60_000)); });`,
  });
  expect(lastLine).toBe('3 passed, 0 failed, 1 skipped');
  expect(exitCode).toBe(0);
});

test.concurrent('failed tests, files that do not load, broken hooks and unhandled errors are all counted', async (context) => {
  const { exitCode, lastLine } = await runSuite(context, {
    'fails.test.ts': `test('fails', () => { expect(1).toBe(2); }); test('passes', () => {});`,
    'loads-not.test.ts': `throw new Error('at the top');`,
    'hook.test.ts': `beforeAll(() => { throw new Error('hook'); }); test('never runs', () => {});`,
    'unhandled.test.ts': `test('passes', async () => { void Promise.reject(new Error('nobody waits')); await new Promise(setImmediate); });`,
  });
  expect(lastLine).toBe('2 passed, 4 failed, 1 skipped');
  expect(exitCode).toBe(1);
});

test.concurrent('a timer, a server, a child and a change to the process fail the file that left them, and no other', async (context) => {
  const { exitCode, lastLine, output } = await runSuite(context, {
    'clean.test.ts': `test('passes', () => {});`,
    'timer.test.ts': `test('passes', () => { setInterval(() => {}, 1_000); });`,
    'server.test.ts': `import { createServer } from 'node:net'; import { once } from 'node:events';
      test('passes', async () => { await once(createServer().listen(0, '127.0.0.1'), 'listening'); });`,
    'child.test.ts': `import { spawn } from 'node:child_process';
      test('passes', () => { spawn(process.execPath, ['-e', 'process.stdin.resume()']); });`,
    'process.test.ts': `import { vi } from 'vitest';
      test('passes', () => { vi.useFakeTimers(); process.env.LEFT = 'yes'; process.on('SIGTERM', () => {}); });`,
    'z-clean.test.ts': `test('passes', () => {});`,
  });
  expect(output).toContain('left behind by this file: 1 Timeout');
  expect(output).toContain('left behind by this file: 1 TCPServerWrap');
  expect(output).toContain('left behind by this file: 1 ProcessWrap');
  expect(output).toContain('left behind by this file: a faked clock, a changed environment, signal listeners');
  expect(lastLine).toBe('6 passed, 4 failed');
  expect(exitCode).toBe(1);
});

test.concurrent('a run without any test is a failure', async (context) => {
  const { exitCode, lastLine } = await runSuite(context, {});
  expect(lastLine).toBe('0 passed, 1 failed');
  expect(exitCode).toBe(1);
});

test('each file that is to start early is there', async () => {
  await Promise.all(SLOW_FILES.map((name) => access(path.join(ROOT, 'test', `${name}.test.ts`))));
});
