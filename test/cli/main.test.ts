/** The command line itself: exit codes, and errors that say what to do next. */
import { expect, test } from 'vitest';
import { openDir, runCli } from './run-cli.ts';

test.each([
  [['--help'], 'run one replica'],
  [['server', '--help'], '--config'],
])('%s prints and exits 0', async (args, text) => {
  const { code, stdout } = await runCli(args, { dir: await openDir() });
  expect(code).toBe(0);
  expect(stdout).toContain(text);
});

test.each([
  [['serve'], "unknown command 'serve'"],
  [['server', '--prot', '1'], "unknown option '--prot'"],
  [['server', '--port', '99999'], 'expected 0 to 65535'],
  [['claim', 'api'], "missing required argument 'ticket'"],
])('%s is a mistake: exit 2, with the way to the help', async (args, text) => {
  const { code, stderr } = await runCli(args, { dir: await openDir() });
  expect(code).toBe(2);
  expect(stderr).toContain(text);
  expect(stderr).toContain('--help');
});

test('without a command the help is shown, and that is a mistake too', async () => {
  const { code, stderr } = await runCli([], { dir: await openDir() });
  expect(code).toBe(2);
  expect(stderr).toContain('Commands:');
});

test('all that was printed is there when the process has ended, however much the pipe had to wait for', async () => {
  const unknown = Array.from({ length: 600 }, (_, i) => `${'x'.repeat(900)}${i}: 1`);
  const { code, stdout } = await runCli(['validate'], { dir: await openDir(unknown.join('\n')) });
  expect(code).toBe(2);
  expect(stdout.slice(-80)).toContain('cannot be used: 601 problems');
});
