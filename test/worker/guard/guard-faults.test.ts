/** Whatever dies or stands still, worker or guard: no process of the attempt stays behind. The ledger says who was there. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { GuardedStart, GuardTiming } from '../../../src/worker/guard/guarded-process.ts';
import { until } from '../../support/until.ts';
import { guarded, guardOf, isAlive, openGuard, PATIENT, parentOf, pidsIn, program, stateOf } from './processes.ts';

function freshLedger(): string {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'guard-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return path.join(folder, 'ledger');
}

const alive = (ledger: string): number[] => pidsIn(ledger).filter(isAlive);

/** A worker in a process of its own that runs the tree under its guard. */
async function startWorker(
  ledger: string,
  timing: GuardTiming,
  ...temporaryFolder: string[]
): Promise<{ worker: ChildProcess; guardPid: number }> {
  const args = [program('stubborn-tree.sh'), ledger, JSON.stringify(timing), ...temporaryFolder];
  const worker = fork(program('guarded-worker.ts'), args, {
    execArgv: [],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  onTestFinished(() => void worker.kill('SIGKILL'));
  const [outcome] = (await once(worker, 'message')) as [GuardedStart];
  if (outcome.kind !== 'started') throw new Error(outcome.reason);
  const guardPid = parentOf(outcome.pid);
  await until('three generations write', () => pidsIn(ledger).length === 3);
  return { worker, guardPid };
}

test('a worker killed: its whole group is gone, and so is its guard', async () => {
  const ledger = freshLedger();
  // With a trust this long only the closed pipe can be the reason.
  const { worker, guardPid } = await startWorker(ledger, PATIENT);

  worker.kill('SIGKILL');

  await until('the guard is gone', () => !isAlive(guardPid));
  await until('the group is gone', () => alive(ledger).length === 0);
  const pids = pidsIn(ledger);
  expect(pids).toHaveLength(3);
  expect(pids.filter(isAlive)).toEqual([]);
});

test('a worker killed: the temporary folder of its attempt goes with its guard, and nothing else', async () => {
  const ledger = freshLedger();
  const folder = path.join(path.dirname(ledger), 'agent-smith-0');
  mkdirSync(path.join(folder, 'a/b'), { recursive: true });
  writeFileSync(path.join(folder, 'a/b/c'), 'left behind');
  const { worker, guardPid } = await startWorker(ledger, PATIENT, folder);

  worker.kill('SIGKILL');

  await until('the guard is gone', () => !isAlive(guardPid));
  expect(existsSync(folder)).toBe(false);
  expect(pidsIn(ledger)).toHaveLength(3);
  expect(alive(ledger)).toEqual([]);
});

test('a worker that stands still longer than its trust: the group is gone while it still stands', async () => {
  const ledger = freshLedger();
  const { worker, guardPid } = await startWorker(ledger, { trustTermMs: 1_000, trustKillMs: 1_500, stopGraceMs: 500 });
  expect(alive(ledger)).toHaveLength(3);

  worker.kill('SIGSTOP');

  await until('the group is gone', () => alive(ledger).length === 0);
  expect(stateOf(worker.pid ?? 0)).toBe('T');
  expect(isAlive(guardPid)).toBe(true);
});

test('the guard outlives the signals of a terminal and of an orchestrator', async () => {
  const ledger = freshLedger();
  const { worker, guardPid } = await startWorker(ledger, PATIENT);

  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.kill(guardPid, signal);
  worker.kill('SIGKILL');

  // A guard that had died of a signal would have left the group alive: its worker was killed before it could act.
  await until('the group is gone', () => alive(ledger).length === 0);
  expect(pidsIn(ledger)).toHaveLength(3);
});

test('a guard killed: the worker kills its groups, says so, and starts the next command under a new guard', async () => {
  const guard = await openGuard();
  const ledger = freshLedger();
  const { started, ended } = guard.start(guarded('sh', [program('stubborn-tree.sh'), ledger]));
  await started;
  await until('three generations write', () => pidsIn(ledger).length === 3);
  const guardPid = guardOf(ledger);

  process.kill(guardPid, 'SIGKILL');
  const end = await ended;

  expect(alive(ledger)).toEqual([]);
  expect(end).toEqual({ kind: 'guard-lost', outputTail: '' });
  expect(await guard.start(guarded('echo', ['next'])).ended).toMatchObject({ kind: 'exited', outputTail: 'next\n' });
});

test('a guard killed before its worker has read what it started: the group is found all the same', async () => {
  const guard = await openGuard();
  const ledger = freshLedger();
  const first = guard.start(guarded('sleep', ['300']));
  const outcome = await first.started;
  if (outcome.kind !== 'started') throw new Error(outcome.reason);
  const guardPid = parentOf(outcome.pid);

  // The worker reads no messages while it works through this block: the report of the second start stays in the pipe.
  const second = guard.start(guarded('sh', [program('stubborn-tree.sh'), ledger]));
  while (pidsIn(ledger).length < 3);
  process.kill(guardPid, 'SIGKILL');

  expect(await second.ended).toMatchObject({ kind: 'guard-lost' });
  expect(alive(ledger)).toEqual([]);
  expect(await first.ended).toMatchObject({ kind: 'guard-lost' });
});

test('a guard that stands still is killed when it does not answer a stop, and its groups with it', async () => {
  const guard = await openGuard();
  const ledger = freshLedger();
  const spec = guarded('sh', [program('stubborn-tree.sh'), ledger]);
  const { ended } = guard.start(spec);
  await until('three generations write', () => pidsIn(ledger).length === 3);
  process.kill(guardOf(ledger), 'SIGSTOP');

  guard.stop(spec.attemptId, 'cancelled by a person');

  expect(await ended).toMatchObject({ kind: 'guard-lost' });
  expect(alive(ledger)).toEqual([]);
});
