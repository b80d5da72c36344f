/** The launcher in a clone of its own, with an npm that only notes that it was called: no network, nothing installed. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { beforeEach, expect, onTestFinished, test, vi } from 'vitest';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const LOCKFILE = JSON.stringify({
  packages: {
    '': { name: 'clone' },
    'node_modules/a': { version: '1.0.0', integrity: 'sha512-a' },
    'node_modules/other-system': { version: '1.0.0', integrity: 'sha512-o', optional: true },
  },
});
/** Ends as told by its arguments; on a signal, once no other came for a moment, says how many it got. */
const MAIN = `
const [command, code] = process.argv.slice(2);
if (command === 'wait') {
  const got: string[] = [];
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => {
    got.push(signal);
    setTimeout(() => { console.log('got ' + got.join()); process.exit(7); }, 200);
  });
  setInterval(() => {}, 1_000);
  console.log('ready');
} else if (command === 'die') process.kill(process.pid, 'SIGKILL');
else { console.log(process.argv.slice(2).join(' ')); process.exitCode = Number(code ?? 0); }`;

let clone: string;
let env: Record<string, string>;

beforeEach(async () => {
  clone = await mkdtemp(path.join(tmpdir(), 'agentsmith-test-'));
  onTestFinished(() => rm(clone, { recursive: true, force: true }));
  await cp(path.join(ROOT, 'scripts'), path.join(clone, 'scripts'), { recursive: true });
  await mkdir(path.join(clone, 'src', 'cli'), { recursive: true });
  await mkdir(path.join(clone, 'bin'));
  await writeFile(path.join(clone, 'package.json'), '{ "type": "module" }');
  await writeFile(path.join(clone, 'src', 'cli', 'main.ts'), MAIN);
  await writeFile(path.join(clone, 'package-lock.json'), LOCKFILE);
  await installingNpm();
  env = { PATH: `${path.join(clone, 'bin')}:/usr/bin:/bin` };
});

/** Does what matters of npm ci: node_modules anew, its hidden lockfile last. */
async function installingNpm(): Promise<void> {
  await fakeNpm(`
rm -rf node_modules; mkdir node_modules; sleep 0.2
printf %s '{"packages":{"node_modules/a":{"version":"1.0.0","integrity":"sha512-a"}}}' > node_modules/.package-lock.json`);
}

async function fakeNpm(script: string): Promise<void> {
  const file = path.join(clone, 'bin', 'npm');
  await writeFile(file, `#!/bin/sh\necho "$@" >> npm.log\n${script}\n`);
  await chmod(file, 0o755);
}

async function npmCalls(): Promise<string[]> {
  return (await readFile(path.join(clone, 'npm.log'), 'utf8')).trim().split('\n');
}

function launch(...args: string[]) {
  const script = path.join(clone, 'scripts', 'launch.mjs');
  return execa(process.execPath, [script, ...args], { env, extendEnv: false, reject: false });
}

/** In a session of its own, so without a terminal, with the command running. */
async function launchWaiting(): Promise<ChildProcess & { output: () => string }> {
  const child = spawn(process.execPath, [path.join(clone, 'scripts', 'launch.mjs'), 'wait'], { env, detached: true });
  let output = '';
  child.stdout.on('data', (chunk) => (output += String(chunk)));
  await vi.waitFor(() => expect(output).toContain('ready'), { timeout: 10_000 });
  return Object.assign(child, { output: () => output });
}

test('installs once, says what it does, and keeps standard output for the command', async () => {
  const first = await launch('hello', '--once');
  expect(first.stdout).toBe('hello --once');
  expect(first.stderr).toContain('dependencies are not installed: running npm ci');
  const second = await launch('hello');
  expect(second.stderr).toBe('');
  expect(await npmCalls()).toEqual(['ci']);
});

test('installs again when the lockfile has changed', async () => {
  await launch('hello');
  await writeFile(path.join(clone, 'package-lock.json'), LOCKFILE.replace('sha512-a', 'sha512-b'));
  const { stderr, exitCode } = await launch('hello');
  expect(stderr).toContain('do not match package-lock.json: running npm ci');
  expect(stderr).toContain('npm ci succeeded, and yet'); // this npm knows only the old one
  expect(exitCode).toBe(1);
});

test('several at once install once', async () => {
  const all = await Promise.all([launch('a'), launch('b'), launch('c')]);
  expect(all.map(({ stdout }) => stdout)).toEqual(['a', 'b', 'c']);
  expect(await npmCalls()).toEqual(['ci']);
  expect(await readdir(path.join(clone, '.cache'))).toEqual([]);
});

test('a lock left by a process that died is broken', async () => {
  const dead = execa('true');
  await dead;
  await mkdir(path.join(clone, '.cache', 'install-lock'), { recursive: true });
  await writeFile(path.join(clone, '.cache', 'install-lock', 'pid'), String(dead.pid));
  expect((await launch('hello')).stdout).toBe('hello');
  expect(await readdir(path.join(clone, '.cache'))).toEqual([]);
});

test('a failed install is told in words, and frees the lock', async () => {
  await fakeNpm('echo "npm error network" >&2; exit 3');
  const { stderr, exitCode } = await launch('hello');
  expect(stderr).toMatch(/npm error network\n.*npm ci failed \(exit 3\)/);
  expect(stderr).not.toContain('    at ');
  expect(exitCode).toBe(1);
  expect(await readdir(path.join(clone, '.cache'))).toEqual([]);
});

test('a clone that cannot be written to is told in words', async () => {
  await writeFile(path.join(clone, '.cache'), 'not a folder');
  const { stderr, exitCode } = await launch('hello');
  expect(stderr).toContain('cannot write to the clone');
  expect(stderr).not.toContain('    at ');
  expect(exitCode).toBe(1);
});

test('the exit code of the command is passed on, also of one that was killed', async () => {
  expect((await launch('end', '5')).exitCode).toBe(5);
  expect((await launch('die')).exitCode).toBe(128 + 9);
});

test.each(['SIGINT', 'SIGTERM'] as const)(
  '%s reaches the command once, and the launcher outlives it',
  async (signal) => {
    const child = await launchWaiting();
    child.kill(signal);
    const [code] = (await once(child, 'close')) as [number];
    expect(child.output()).toBe(`ready\ngot ${signal}\n`);
    expect(code).toBe(7);
  },
);
