import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { now } from '../../../src/foundation/clock.ts';
import { until } from '../../support/until.ts';
import { guarded, guardOf, isAlive, openGuard, parentOf, peakMemoryMib, pidsIn, program } from './processes.ts';

const SHORT_TRUST = { trustTermMs: 500, trustKillMs: 800, stopGraceMs: 300 };

function freshLedger(): string {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'guard-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return path.join(folder, 'ledger');
}

const alive = (ledger: string): number[] => pidsIn(ledger).filter(isAlive);

test('a command reports its exit code and what it printed, and reads its standard input', async () => {
  const guard = await openGuard();
  const { started, ended } = guard.start(guarded('sh', ['-c', 'cat; echo oops >&2; exit 3'], { stdin: 'ticket\n' }));

  expect(await started).toMatchObject({ kind: 'started' });
  expect(await ended).toEqual({ kind: 'exited', code: 3, outputTail: 'ticket\noops\n' });
});

test('a command that dies of a signal says which', async () => {
  const guard = await openGuard();
  expect(await guard.start(guarded('sh', ['-c', 'kill -SEGV $$'])).ended).toMatchObject({
    kind: 'signalled',
    signal: 'SIGSEGV',
  });
});

test('a command that never reads its input is not held up by it', async () => {
  const guard = await openGuard();
  const { ended } = guard.start(guarded('true', [], { stdin: 'x'.repeat(4 * 1024 * 1024) }));
  expect(await ended).toMatchObject({ kind: 'exited', code: 0 });
});

test('a child left behind is ended before its attempt counts as ended, and the exit code stays', async () => {
  const guard = await openGuard();
  const ledger = freshLedger();
  const end = await guard.start(guarded('sh', [program('leave-child.sh'), ledger])).ended;

  expect(alive(ledger)).toEqual([]);
  expect(end).toEqual({ kind: 'exited', code: 7, outputTail: 'child left behind\n' });
});

test('a child left behind that ignores SIGTERM is killed after the grace', async () => {
  const guard = await openGuard();
  const ledger = freshLedger();
  const end = await guard.start(guarded('sh', [program('leave-child.sh'), ledger, 'stubborn'])).ended;

  expect(pidsIn(ledger)).toHaveLength(1);
  expect(alive(ledger)).toEqual([]);
  expect(end).toMatchObject({ kind: 'exited', code: 7 });
});

test('a tree that ignores SIGTERM is killed whole, grandchild included', async () => {
  const guard = await openGuard();
  const ledger = freshLedger();
  const spec = guarded('sh', [program('stubborn-tree.sh'), ledger]);
  const { ended } = guard.start(spec);
  await until('three generations write', () => pidsIn(ledger).length === 3);

  guard.stop(spec.attemptId, 'cancelled by a person');
  const end = await ended;

  expect(alive(ledger)).toEqual([]);
  expect(end).toMatchObject({ kind: 'stopped', reason: 'cancelled by a person' });
});

test('a command that obeys SIGTERM is not kept waiting for the grace', async () => {
  const guard = await openGuard({ trustTermMs: 60_000, trustKillMs: 90_000, stopGraceMs: 3_600_000 });
  const spec = guarded('sh', ['-c', 'trap "echo bye; exit 0" TERM; echo up; while :; do sleep 0.01; done']);
  const { started, ended } = guard.start(spec);
  await started;
  guard.stop(spec.attemptId, 'drained');

  expect(await ended).toMatchObject({ kind: 'stopped', reason: 'drained' });
});

test('zombies that nobody reaps, and output held open from outside the group, do not hold an attempt open', async () => {
  const guard = await openGuard();
  const ledger = freshLedger();
  onTestFinished(() => {
    for (const pid of pidsIn(ledger)) process.kill(pid, 'SIGKILL');
  });
  const end = await guard.start(guarded('sh', [program('leave-zombie.sh'), ledger])).ended;

  expect(end).toEqual({ kind: 'exited', code: 0, outputTail: 'zombie left behind\n' });
  expect(alive(ledger)).toHaveLength(1);
});

test('100 MB of output leave the right tail and no trace in memory', async () => {
  const guard = await openGuard();
  const { started, ended } = guard.start(
    guarded('sh', [program('flood.sh'), '100000000'], { secrets: ['a-secret-that-is-not-there'] }),
  );
  const outcome = await started;
  if (outcome.kind !== 'started') throw new Error(outcome.reason);
  const guardPid = parentOf(outcome.pid);
  const { outputTail } = await ended;

  expect(Buffer.byteLength(outputTail)).toBe(64 * 1024);
  expect(outputTail).toMatch(/^x+\nthe end ✓\n$/);
  expect(peakMemoryMib(guardPid)).toBeLessThan(200);
});

test('secrets do not show, however the output is cut into chunks', async () => {
  const guard = await openGuard();
  const { ended } = guard.start(
    guarded('node', [program('byte-by-byte.mjs'), 'token=s3cr3t-välue!', 'again s3cr3t-välue!'], {
      secrets: ['s3cr3t-välue'],
    }),
  );
  expect(await ended).toMatchObject({ outputTail: 'token=[redacted]!again [redacted]!' });
});

test.for([
  ['a program that is not on the PATH', guarded('no-such-program'), /no-such-program was not found on the PATH/],
  ['a path that does not exist', guarded('/no/such/program'), /\/no\/such\/program does not exist/],
  ['a file that is not executable', guarded(program('ledger.sh')), /ledger.sh is not executable/],
  ['a folder', guarded('/tmp'), /\/tmp is a folder/],
  ['a missing working folder', guarded('true', [], { cwd: '/no/such/folder' }), /folder \/no\/such\/folder does not/],
  ['a NUL in an argument', guarded('true', ['a\0b']), /holds a NUL/],
  ['an argument of 1 MiB', guarded('true', ['x'.repeat(1024 * 1024)]), /larger than this system allows/],
] as const)('%s is explained, not thrown', async ([, spec, sentence]) => {
  const guard = await openGuard();
  const { started, ended } = guard.start({ ...spec, trustedSince: now() });

  expect(await started).toEqual({ kind: 'not-started', reason: expect.stringMatching(sentence) });
  expect(await ended).toEqual({ kind: 'not-started', reason: expect.stringMatching(sentence), outputTail: '' });
});

test('a command lives as long as its beats are fresh, and ends by SIGKILL when they are not', async () => {
  const guard = await openGuard(SHORT_TRUST);
  const ledger = freshLedger();
  const spec = guarded('sh', [program('stubborn-tree.sh'), ledger]);
  const { ended } = guard.start(spec);
  const startedAt = performance.now();
  const beats = setInterval(() => guard.beat(spec.attemptId, now()), 20);
  await until(
    'it has outlived the trust of its start',
    () => performance.now() - startedAt > 2 * SHORT_TRUST.trustKillMs,
  );
  expect(alive(ledger)).toHaveLength(3);

  clearInterval(beats);
  expect(await ended).toMatchObject({ kind: 'trust-lost' });
  expect(alive(ledger)).toEqual([]);
});

test('a beat counts from when it was sent, not from when it arrives', async () => {
  const guard = await openGuard(SHORT_TRUST);
  const spec = guarded('sleep', ['300']);
  const { ended } = guard.start(spec);
  const beats = setInterval(() => guard.beat(spec.attemptId, spec.trustedSince), 20);
  onTestFinished(() => clearInterval(beats));

  expect(await ended).toMatchObject({ kind: 'trust-lost' });
});

test('an attempt that has lost trust before its start does not start', async () => {
  const guard = await openGuard();
  const ledger = freshLedger();
  const longAgo = { ...now(), monotonicMs: now().monotonicMs - 60_000 };
  const { started, ended } = guard.start(guarded('sh', [program('ledger.sh'), ledger], { trustedSince: longAgo }));

  expect(await started).toMatchObject({ kind: 'not-started' });
  expect(await ended).toMatchObject({ kind: 'trust-lost' });
  expect(pidsIn(ledger)).toEqual([]);
});

test('closing stops what runs and waits for it; what comes later does not start', async () => {
  const guard = await openGuard();
  const ledger = freshLedger();
  const { ended } = guard.start(guarded('sh', [program('stubborn-tree.sh'), ledger]));
  await until('three generations write', () => pidsIn(ledger).length === 3);
  const guardPid = guardOf(ledger);

  await guard.close();

  expect(alive(ledger)).toEqual([]);
  expect(isAlive(guardPid)).toBe(false);
  expect(await ended).toMatchObject({ kind: 'stopped' });
  expect(await guard.start(guarded('true')).ended).toMatchObject({ kind: 'stopped' });
});
