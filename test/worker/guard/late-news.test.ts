/** News that reach the guard late, or never: beats that were sent long ago, and a start that nobody could report any more. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { elapsedMs, type Moment } from '../../../src/foundation/clock.ts';
import { GUARD_MARK } from '../../../src/worker/guard/guarded-process.ts';
import { guarded, openGuard, parentOf } from './processes.ts';

const TRUST = { trustTermMs: 2_000, trustKillMs: 2_600, stopGraceMs: 300 };

const after = (at: Moment, ms: number): Moment => ({
  monotonicMs: at.monotonicMs + ms,
  uptimeMs: at.uptimeMs + ms,
  wallMs: at.wallMs + ms,
});

test('a beat that arrives late counts from when it was sent: the command lives as long as that allows', async () => {
  const guard = await openGuard(TRUST);
  const spec = guarded('sleep', ['300']);
  const { ended } = guard.start(spec);
  const [sentAfterMs, arrivesAfterMs] = [100, 1_500];
  await delay(arrivesAfterMs);
  guard.beat(spec.attemptId, after(spec.trustedSince, sentAfterMs));
  expect(await ended).toMatchObject({ kind: 'trust-lost' });
  const livedMs = elapsedMs(spec.trustedSince);
  expect(livedMs).toBeGreaterThanOrEqual(TRUST.trustTermMs + sentAfterMs);
  expect(livedMs).toBeLessThan(TRUST.trustTermMs + arrivesAfterMs - 400);
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
