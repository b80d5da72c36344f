/** News that reach the guard late, or never: beats that were sent long ago, and a start that nobody could report any more. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, onTestFinished, test } from 'vitest';
import type { Moment } from '../../../src/foundation/clock.ts';
import { GUARD_MARK } from '../../../src/worker/guard/guarded-process.ts';
import { guarded, openGuard, parentOf } from './processes.ts';

const SHORT_TRUST = { trustTermMs: 500, trustKillMs: 800, stopGraceMs: 300 };

const after = (at: Moment, ms: number): Moment => ({
  monotonicMs: at.monotonicMs + ms,
  uptimeMs: at.uptimeMs + ms,
  wallMs: at.wallMs + ms,
});

test('beats that keep arriving, each sent a little after the one before and long ago, keep no command alive', async () => {
  const guard = await openGuard(SHORT_TRUST);
  const spec = guarded('sleep', ['300']);
  const { ended } = guard.start(spec);
  let sent = 0;
  const beats = setInterval(() => {
    sent += 1;
    guard.beat(spec.attemptId, after(spec.trustedSince, sent));
  }, 20);
  onTestFinished(() => clearInterval(beats));
  expect(await ended).toMatchObject({ kind: 'trust-lost' });
});

test('a guard that was killed after a start and before its report: what it started is found by its mark, and killed', async () => {
  const guard = await openGuard();
  const first = guard.start(guarded('sleep', ['300']));
  const outcome = await first.started;
  if (outcome.kind !== 'started') throw new Error(outcome.reason);
  const guardPid = parentOf(outcome.pid);
  // Standing still it reports nothing; what it would have started is started here, with its mark.
  process.kill(guardPid, 'SIGSTOP');
  const spec = guarded('sleep', ['300']);
  const { ended } = guard.start(spec);
  const env = { ...process.env, [GUARD_MARK]: spec.attemptId };
  const unreported = spawn('sleep', ['300'], { detached: true, stdio: 'ignore', env });
  onTestFinished(() => void unreported.kill('SIGKILL'));
  const gone = once(unreported, 'exit');
  await once(unreported, 'spawn');
  process.kill(guardPid, 'SIGKILL');
  expect(await ended).toMatchObject({ kind: 'guard-lost' });
  expect(await gone).toEqual([null, 'SIGKILL']);
  expect(await first.ended).toMatchObject({ kind: 'guard-lost' });
});
