/** Trust among clocks that jump and machines that sleep: it may end early, and never late. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DEFAULT_TIMING } from '../../src/domain/timing.ts';
import type { Moment } from '../../src/foundation/clock.ts';
import { createTrust } from '../../src/worker/trust.ts';

const { trustTermMs } = DEFAULT_TIMING;

const step = fc.oneof(
  fc.record({ kind: fc.constant('pass' as const), ms: fc.nat(30_000) }),
  fc.record({ kind: fc.constant('sleep' as const), ms: fc.nat(60_000) }),
  fc.record({ kind: fc.constant('jump' as const), ms: fc.integer({ min: -86_400_000, max: 86_400_000 }) }),
  fc.record({ kind: fc.constant('send' as const) }),
  fc.record({ kind: fc.constant('accept' as const) }),
  fc.record({ kind: fc.constant('spare' as const) }),
);

test('the wall clock jumps both ways and the machine sleeps: trust is never longer than its term', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 50 }), (steps) => {
      let [trueMs, sleptMs, jumpedMs] = [0, 0, 0];
      const clock = (): Moment => ({
        monotonicMs: 1_000 + trueMs - sleptMs,
        uptimeMs: 5_000 + trueMs,
        wallMs: 1_700_000_000_000 + trueMs + jumpedMs,
      });
      const trust = createTrust({ ...DEFAULT_TIMING, startedAt: clock(), clock });
      let sent = { atMs: 0, moment: clock() };
      let acceptedMs = 0;
      let sparedMs: number | undefined;
      for (const now of steps) {
        if (now.kind === 'pass' || now.kind === 'sleep') trueMs += now.ms;
        if (now.kind === 'sleep') sleptMs += now.ms;
        if (now.kind === 'jump') jumpedMs += now.ms;
        if (now.kind === 'send') sent = { atMs: trueMs, moment: clock() };
        if (now.kind === 'accept') {
          trust.renew(sent.moment);
          acceptedMs = sent.atMs;
        }
        if (now.kind === 'spare') {
          trust.spare(clock());
          sparedMs = trueMs;
        }
        const leftMs = Math.max(0, trustTermMs - (trueMs - acceptedMs));
        expect(trust.leftMs()).toBeLessThanOrEqual(leftMs);
        expect(trust.trusted()).toBe(trust.leftMs() > 0);
        // Sparing gives no trust, and it ends too.
        const spared = sparedMs !== undefined && trueMs - sparedMs < trustTermMs;
        if (leftMs === 0 && !spared) expect(trust.lost()).toBe(true);
        if (trust.trusted()) expect(trust.lost()).toBe(false);
      }
      trust.revoke();
      trust.renew(clock());
      expect(trust.leftMs()).toBe(0);
    }),
  );
});
