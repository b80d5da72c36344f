/**
 * However a command that somebody sits in front of comes to its end, it leaves no process, and so no port, and no folder
 * behind. Each run has a folder for temporary files of its own, and every process of it can be told by that.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { describe, expect, type TestContext, test } from 'vitest';
import { oneProject } from '../../cli/run-cli.ts';
import { until } from '../../support/until.ts';

const MAIN = fileURLToPath(new URL('../../../src/cli/main.ts', import.meta.url));
const LAUNCHER = fileURLToPath(new URL('../../../scripts/launch.mjs', import.meta.url));
const UNREACHABLE = 'http://127.0.0.1:9/org/api';
const TIMEOUT_MS = 60_000;
/** Exit codes after a hang-up: on a slow machine the orderly end takes longer than it is given. */
const ORDERLY_OR_CUT_SHORT = [0, 129];

interface Started {
  readonly pid: number;
  /** Resolves with the exit code or the signal. */
  readonly ended: Promise<unknown>;
  kill(signal: NodeJS.Signals): void;
  /** Processes and files that are there because of it. */
  left(): Promise<readonly string[]>;
}

/** Resolves once a line of its output says `sign`; there is a configuration where it starts. */
async function start({ onTestFinished }: TestContext, args: readonly string[], sign: string): Promise<Started> {
  const [folder = '', cwd = ''] = await Promise.all(
    ['tmp', 'cwd'].map((name) => mkdtemp(path.join(tmpdir(), `agentsmith-test-${name}-`))),
  );
  onTestFinished(async () => {
    await Promise.all([folder, cwd].map((dir) => rm(dir, { recursive: true, force: true })));
  });
  await writeFile(path.join(cwd, 'agentsmith.yml'), oneProject(UNREACHABLE));
  const env = { ...process.env, TMPDIR: folder, LOG_LEVEL: 'info', GITHUB_TOKEN: 'a-token' };
  const child = spawn(process.execPath, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const ended = once(child, 'exit').then(([code, signal]: unknown[]) => code ?? signal);
  const { promise: seen, resolve, reject } = Promise.withResolvers<void>();
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => line.includes(sign) && resolve());
  }
  void ended.then((how) => reject(new Error(`ended before it said "${sign}": ${String(how)}`)));
  await seen;
  return {
    pid: child.pid ?? 0,
    ended,
    kill: (signal) => void child.kill(signal),
    left: async () => [...(await processesWith(folder)), ...(await readdir(folder))],
  };
}

/** Those whose environment names the folder: also a command of a replica, wherever it works. Ours has another one. */
async function processesWith(folder: string): Promise<string[]> {
  const all = await readdir('/proc');
  const found = await Promise.all(
    all
      .filter((name) => /^\d+$/.test(name))
      .map(async (pid) => {
        const environment = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '');
        return environment.includes(folder) ? [`process ${pid}`] : [];
      }),
  );
  return found.flat();
}

async function nothingIsLeft({ left }: Started): Promise<void> {
  // Somebody who looks right after the end may still see a process that is being cleared away.
  await until('nothing is left', async () => (await left()).length === 0, 8_000);
}

// Processes are found as Linux shows them.
describe.runIf(process.platform === 'linux').concurrent('nothing is left of', () => {
  test.for(['SIGHUP', 'SIGKILL'] as const)(
    'demo after %s while tickets are worked on',
    {
      timeout: TIMEOUT_MS,
    },
    async (signal, context) => {
      const demo = await start(context, [MAIN, 'demo', '--tickets', '2'], ' starts ');
      expect((await demo.left()).length).toBeGreaterThan(6);
      demo.kill(signal);
      expect(signal === 'SIGKILL' ? ['SIGKILL'] : ORDERLY_OR_CUT_SHORT).toContain(await demo.ended);
      await nothingIsLeft(demo);
    },
  );

  test.for(['SIGHUP', 'SIGKILL'] as const)('dev after %s', { timeout: TIMEOUT_MS }, async (signal, context) => {
    const dev = await start(context, [MAIN, 'dev', '--port', '0'], 'listening');
    expect((await dev.left()).length).toBeGreaterThan(2);
    dev.kill(signal);
    expect(signal === 'SIGKILL' ? ['SIGKILL'] : ORDERLY_OR_CUT_SHORT).toContain(await dev.ended);
    await nothingIsLeft(dev);
  });

  test('a command whose launcher was killed', { timeout: TIMEOUT_MS }, async (context) => {
    const launcher = await start(context, [LAUNCHER, 'emulate', '--port', '0'], 'Serving until');
    expect((await launcher.left()).length).toBe(2);
    launcher.kill('SIGKILL');
    await launcher.ended;
    await nothingIsLeft(launcher);
  });
});
