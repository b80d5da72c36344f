/** Sabotage takes a guard out of a running program: out of what it reads, and out of the guard process that it forks. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { expect, onTestFinished, test } from 'vitest';

const SABOTAGE = new URL('../support/sabotage.mjs', import.meta.url).href;
const inSource = (file: string): string => fileURLToPath(new URL(`../../src/${file}`, import.meta.url));

/** Runs a module under sabotage; what it printed. */
async function under(names: string, program: string): Promise<string> {
  const dir = await mkdtemp(path.join(tmpdir(), 'agent-smith-sabotage-'));
  onTestFinished(() => rm(dir, { recursive: true }));
  const file = path.join(dir, 'program.mjs');
  await writeFile(file, program);
  const env = { SABOTAGE: names, NODE_OPTIONS: `--import=${SABOTAGE}` };
  const { stdout } = await execa(process.execPath, [file], { env });
  return stdout;
}

test('a source and a script are read without their guards, those of one name in all places', async () => {
  const stdout = await under(
    'lease:margin,recovering',
    `import { readFileSync } from 'node:fs';
     const { trustMs } = await import(${JSON.stringify(inSource('coordination/lease.ts'))});
     const scripts = ['begin-claim', 'start-attempt', 'acquire-lease'].map((name) =>
       readFileSync(${JSON.stringify(inSource('redis/scripts'))} + '/' + name + '.lua', 'utf8'));
     console.log(trustMs({ leaseTtlMs: 30, leaseMarginMs: 5 }), scripts.filter((lua) => lua.includes('guard: recovering')).length);`,
  );
  expect(stdout).toBe('30 0');
});

test('a forked process is sabotaged as well, though it gets nothing of the environment', async () => {
  const stdout = await under(
    'leash:trust-kill',
    `import { fork } from 'node:child_process';
     import { fileURLToPath } from 'node:url';
     if (process.send === undefined) fork(fileURLToPath(import.meta.url), [], { env: {}, execArgv: [] });
     else {
       const { decideSignal } = await import(${JSON.stringify(inSource('worker/guard/leash.ts'))});
       const facts = { beatAgeMs: 99, spareAgeMs: undefined, stoppingMs: 0, exited: false, frozen: false };
       console.log(Object.keys(process.env).toSorted().join(), decideSignal(facts, { trustTermMs: 1, trustKillMs: 2, stopGraceMs: 9 }));
       process.disconnect();
     }`,
  );
  expect(stdout).toMatch(/NODE_OPTIONS,SABOTAGE none$/);
});
