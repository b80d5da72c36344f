/**
 * Commands that are frozen instead of ended, because their worker spares them while no beat is accepted
 * (docs/decisions/0020-freeze-on-refusal.md). The kernel says whether a process is stopped, its ledger whether it
 * executed anything. Trust has to end in each scene, so they are played side by side.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import { now } from '../../../src/foundation/clock.ts';
import type { GuardTiming } from '../../../src/worker/guard/guarded-process.ts';
import type { Scope } from '../../support/scope.ts';
import { until } from '../../support/until.ts';
import { guarded, isAlive, isFrozen, leaderOf, openGuard, pidsIn, program } from './processes.ts';

const SHORT: GuardTiming = { trustTermMs: 2_000, trustKillMs: 3_000, stopGraceMs: 1_000 };

function freshLedger(scope: Scope): string {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'guard-test-'));
  scope.onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return path.join(folder, 'ledger');
}

const alive = (ledger: string): number[] => pidsIn(ledger).filter(isAlive);
const executed = (ledger: string): number => readFileSync(ledger, 'utf8').length;

/** A tree of three generations whose worker spares it, frozen because its trust has ended. */
async function frozenTree(scope: Scope) {
  const guard = await openGuard(SHORT, scope);
  const ledger = freshLedger(scope);
  const spec = guarded('sh', [program('stubborn-tree.sh'), ledger]);
  const { ended } = guard.start(spec);
  const beats = setInterval(() => guard.beat(spec.attemptId, now()), 20);
  scope.onTestFinished(() => clearInterval(beats));
  const spares = setInterval(() => guard.spare(spec.attemptId, now()), 20);
  scope.onTestFinished(() => clearInterval(spares));
  await until('three generations write', () => pidsIn(ledger).length === 3);
  clearInterval(beats);
  await until('the whole tree is frozen', () => isFrozen(leaderOf(ledger)));
  return { guard, ledger, ended, attempt: spec.attemptId, spares };
}

test.concurrent('spared while no beat is accepted, the whole group stands still, and goes on with the next beat', async (context) => {
  const { guard, ledger, ended, attempt, spares } = await frozenTree(context);
  const before = executed(ledger);
  const frozenAt = performance.now();
  await until('longer than it could have lived unspared', () => performance.now() - frozenAt > SHORT.trustKillMs);
  expect(isFrozen(leaderOf(ledger))).toBe(true);
  expect(executed(ledger)).toBe(before);

  clearInterval(spares);
  guard.beat(attempt, now());
  await until('it executes again', () => executed(ledger) > before);
  expect(alive(ledger)).toHaveLength(3);
  guard.stop(attempt, 'enough');
  expect(await ended).toMatchObject({ kind: 'stopped', reason: 'enough' });
});

test.concurrent('a beat that was sent too long ago thaws nothing', async (context) => {
  const { guard, ledger, attempt } = await frozenTree(context);
  const before = executed(ledger);
  const moment = now();
  guard.beat(attempt, { ...moment, monotonicMs: moment.monotonicMs - SHORT.trustTermMs });
  const toldAt = performance.now();
  await until('the guard has looked', () => performance.now() - toldAt > 200);
  expect(isFrozen(leaderOf(ledger))).toBe(true);
  expect(executed(ledger)).toBe(before);
});

test.concurrent('a SIGCONT from elsewhere does not thaw: it is frozen again at the next look', async (context) => {
  const { ledger } = await frozenTree(context);
  process.kill(-leaderOf(ledger), 'SIGCONT');
  const toldAt = performance.now();
  await until('the guard has looked', () => performance.now() - toldAt > 100);
  await until('it is frozen again', () => isFrozen(leaderOf(ledger)));
});

test.concurrent('a frozen group that is stopped dies at once, without executing anything', async (context) => {
  const { guard, ledger, ended, attempt } = await frozenTree(context);
  const before = executed(ledger);
  guard.stop(attempt, 'superseded');
  expect(await ended).toMatchObject({ kind: 'stopped', reason: 'superseded' });
  expect(alive(ledger)).toEqual([]);
  expect(executed(ledger)).toBe(before);
});

test.concurrent('a frozen group that is not spared any more dies without executing anything', async (context) => {
  const { ledger, ended, spares } = await frozenTree(context);
  const before = executed(ledger);
  clearInterval(spares);
  expect(await ended).toMatchObject({ kind: 'trust-lost' });
  expect(alive(ledger)).toEqual([]);
  expect(executed(ledger)).toBe(before);
});

test.concurrent.for(['SIGKILL', 'SIGSTOP'] as const)(
  'a worker that gets %s leaves no frozen group behind',
  async (signal, context) => {
    const ledger = freshLedger(context);
    const args = [program('stubborn-tree.sh'), ledger, JSON.stringify(SHORT)];
    const worker = fork(program('guarded-worker.ts'), args, {
      execArgv: [],
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    context.onTestFinished(() => void worker.kill('SIGKILL'));
    await once(worker, 'message');
    await until('three generations write', () => pidsIn(ledger).length === 3);
    worker.send('spare');
    await until('the whole tree is frozen', () => isFrozen(leaderOf(ledger)));
    const before = executed(ledger);
    worker.kill(signal);
    await until('the group is gone', () => alive(ledger).length === 0);
    expect(executed(ledger)).toBe(before);
  },
);
