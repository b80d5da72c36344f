/**
 * The demo as a viewer runs it: its own Redis, four emulated trackers, two replicas and a service as processes, one of the
 * replicas killed. Each run has a folder for temporary files of its own, which shows what it left behind.
 */
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { execa, type Options } from 'execa';
import { describe, expect, type TestContext, test } from 'vitest';
import { until } from '../../support/until.ts';

const MAIN = fileURLToPath(new URL('../../../src/cli/main.ts', import.meta.url));
const SABOTAGE = pathToFileURL(fileURLToPath(new URL('../../support/sabotage.mjs', import.meta.url))).href;
/** More than the demo gives itself: when a ticket is lost, its verdict says which one. */
const TIMEOUT_MS = 90_000;

const SUMMARY = /^demo: (\d+) tickets, (\d+) done, (\d+) failed, (\d+) lost, (\d+) doubled$/;

// Tests that run side by side must name themselves when they leave something to be cleaned up.
async function temporaryFolder({ onTestFinished }: TestContext): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'agentsmith-test-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

function startDemo({ onTestFinished }: TestContext, args: readonly string[], env: NonNullable<Options['env']>) {
  const demo = execa(process.execPath, [MAIN, 'demo', ...args], { env, reject: false, stdin: 'ignore' });
  onTestFinished(() => void demo.kill('SIGKILL'));
  return demo;
}

function summaryOf(output: string) {
  const last = output.trimEnd().split('\n').at(-1) ?? '';
  const [tickets, done, failed, lost, doubled] = (SUMMARY.exec(last) ?? []).slice(1).map(Number);
  return { tickets, done, failed, lost, doubled };
}

/** Command lines of this machine that name the folder. */
async function processesWith(folder: string): Promise<string[]> {
  const { stdout } = await execa('ps', ['-eo', 'args']);
  return stdout.split('\n').filter((line) => line.includes(folder));
}

async function noneIsLeft(folder: string): Promise<void> {
  // Right after the end the watcher of a leash may still be on its way out: it notices that its pipe was closed.
  await until('no process is left', async () => (await processesWith(folder)).length === 0, 8_000);
}

describe.concurrent('demo', () => {
  test('--once loses and doubles nothing although a replica is killed, and leaves nothing behind', {
    timeout: TIMEOUT_MS,
  }, async (context) => {
    const folder = await temporaryFolder(context);
    const { exitCode, stdout } = await startDemo(context, ['--once', '--tickets', '4'], { TMPDIR: folder });
    expect(stdout.trimEnd()).toMatch(/\ndemo: 4 tickets, 3 done, 1 failed, 0 lost, 0 doubled$/);
    expect(exitCode).toBe(0);
    for (const name of ['GitHub shop#1', 'GitLab web#1', 'Azure DevOps acme#1', 'Jira DESK-1']) {
      expect(stdout).toMatch(new RegExp(`${name} (is done|has failed)`));
    }
    expect(stdout).toMatch(/puts the label customer on[^]*takes the label triage off/);
    // On a machine that has much to do a listing may be faster for one of them.
    expect(stdout).toMatch(/(GitHub shop|GitLab web)#1 comes in by webhook after \d/);
    expect(stdout).toMatch(/about GitLab web#1 is lost on its way[^]*GitLab web#1 (comes in|is found)/);
    expect(stdout).toContain('service starts security-scan on Azure DevOps acme#1');
    expect(stdout).toContain('is killed (SIGKILL)');
    await noneIsLeft(folder);
    expect(await readdir(folder)).toEqual([]);
  });

  test('--once notices that a claim without its guards runs tickets twice', {
    timeout: TIMEOUT_MS,
  }, async (context) => {
    const { exitCode, stdout } = await startDemo(context, ['--once', '--tickets', '3'], {
      TMPDIR: await temporaryFolder(context),
      NODE_OPTIONS: `--import=${SABOTAGE}`,
      SABOTAGE: 'live-run,unconfirmed,claim-lock,eligibility,candidates',
    });
    expect(summaryOf(stdout).doubled).toBeGreaterThan(0);
    expect(exitCode).toBe(1);
  });

  test('without --once goes on until Ctrl-C, and leaves nothing behind', { timeout: TIMEOUT_MS }, async (context) => {
    const folder = await temporaryFolder(context);
    const demo = startDemo(context, ['--tickets', '1'], { TMPDIR: folder });
    for await (const line of createInterface({ input: demo.stdout })) if (line.includes(' starts ')) break;
    expect(await processesWith(folder)).not.toEqual([]);
    demo.kill('SIGINT');
    const { exitCode } = await demo;
    expect(exitCode).toBe(0);
    await noneIsLeft(folder);
    expect(await readdir(folder)).toEqual([]);
  });
});

describe('sabotage', () => {
  const sabotaged = (names: string) =>
    execa(process.execPath, [`--import=${SABOTAGE}`, '--eval', ''], { env: { SABOTAGE: names }, reject: false });

  test('knows the guards of the scripts, all of a name or those of one script, and the rewrites', async () => {
    const { exitCode, stderr } = await sabotaged('live-run,start-attempt:recovering,eligibility,candidates');
    expect(stderr).toBe('');
    expect(exitCode).toBe(0);
  });

  test.each(['no-such-guard', 'finish:live-run'])('that would do nothing ends the program: %s', async (name) => {
    const { exitCode, stderr } = await sabotaged(name);
    expect(exitCode).toBe(1);
    expect(stderr).toContain(`SABOTAGE ${name}`);
  });
});
