import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DEFAULT_TIMING } from '../../../src/domain/timing.ts';
import { decideSignal, type LeashFacts, leashCheckMs } from '../../../src/worker/guard/leash.ts';

const { trustTermMs, trustKillMs, heartbeatTtlMs } = DEFAULT_TIMING;
const calm: LeashFacts = { beatAgeMs: 0, spareAgeMs: undefined, stoppingMs: undefined, exited: false, frozen: false };

test.for([
  ['fresh beats: left alone', { beatAgeMs: 19_999 }, 'none'],
  ['no beat for 20 s: SIGTERM', { beatAgeMs: 20_000 }, 'term'],
  ['no beat for 20 s, SIGTERM sent: wait', { beatAgeMs: 29_999, stoppingMs: 9_999 }, 'none'],
  ['no beat for 30 s: SIGKILL', { beatAgeMs: 30_000, stoppingMs: 9_999 }, 'kill'],
  ['first look after a long pause: SIGKILL at once', { beatAgeMs: 60_000 }, 'kill'],
  ['stopped, within the grace: wait', { stoppingMs: 9_999 }, 'none'],
  ['stopped, grace over: SIGKILL', { stoppingMs: 10_000 }, 'kill'],
  ['ended with children left: SIGTERM', { exited: true }, 'term'],
  ['children left after the grace: SIGKILL', { stoppingMs: 10_000, exited: true }, 'kill'],
  ['no beat for 20 s, spared: frozen', { beatAgeMs: 20_000, spareAgeMs: 19_999 }, 'freeze'],
  ['no beat for 20 s, spared too long ago: SIGTERM', { beatAgeMs: 20_000, spareAgeMs: 20_000 }, 'term'],
  ['spared, but trusted: left alone', { beatAgeMs: 19_999, spareAgeMs: 0 }, 'none'],
  ['spared after SIGTERM was sent: too late', { beatAgeMs: 25_000, spareAgeMs: 0, stoppingMs: 10_000 }, 'kill'],
  ['first look after a long pause, spared: SIGKILL', { beatAgeMs: 30_000, spareAgeMs: 0 }, 'kill'],
  ['frozen and spared: stays so, for however long', { frozen: true, beatAgeMs: 3.6e6, spareAgeMs: 19_999 }, 'freeze'],
  ['frozen, not spared any more: SIGKILL', { frozen: true, beatAgeMs: 40_000, spareAgeMs: 20_000 }, 'kill'],
  ['frozen, stopped: SIGKILL at once', { frozen: true, beatAgeMs: 25_000, spareAgeMs: 0, stoppingMs: 0 }, 'kill'],
  ['frozen, stopped, and a beat: SIGKILL all the same', { frozen: true, stoppingMs: 0 }, 'kill'],
  ['frozen, and a beat: thawed', { frozen: true, spareAgeMs: 5_000 }, 'thaw'],
  ['frozen, and a beat that was sent too long ago: not thawed', { frozen: true, beatAgeMs: 20_000 }, 'kill'],
] as const)('%s', ([, facts, signal]) => {
  expect(decideSignal({ ...calm, ...facts }, DEFAULT_TIMING)).toBe(signal);
});

test('a runner is killed before its heartbeat expires, the pause between two looks included', () => {
  expect(trustKillMs + leashCheckMs(DEFAULT_TIMING)).toBeLessThan(heartbeatTtlMs);
});

const age = fc.oneof(fc.nat(60_000), fc.nat());
const facts: fc.Arbitrary<LeashFacts> = fc.record({
  beatAgeMs: age,
  spareAgeMs: fc.option(age, { nil: undefined }),
  stoppingMs: fc.option(age, { nil: undefined }),
  exited: fc.boolean(),
  frozen: fc.boolean(),
});

test('whatever the ages: without trust a group is never left alone, and without a beat it is never thawed', () => {
  fc.assert(
    fc.property(facts, (seen) => {
      const signal = decideSignal(seen, DEFAULT_TIMING);
      const trusted = seen.beatAgeMs < trustTermMs;
      // What was told to end by SIGTERM may have its grace for that, but no longer than trust could have lasted.
      if (signal === 'none' && !trusted) expect(seen).toMatchObject({ stoppingMs: expect.any(Number), frozen: false });
      if (signal === 'thaw') expect({ trusted, ...seen }).toMatchObject({ trusted: true, frozen: true, exited: false });
      if (signal === 'freeze') expect({ trusted, stoppingMs: seen.stoppingMs }).toEqual({ trusted: false });
      if (seen.frozen) expect(['kill', 'thaw', 'freeze']).toContain(signal);
      if (seen.beatAgeMs >= trustKillMs) expect(['kill', 'freeze']).toContain(signal);
      if (seen.beatAgeMs >= trustKillMs && !seen.frozen) expect(signal).toBe('kill');
    }),
    { numRuns: 2_000 },
  );
});

/** What happens to a group, in ms of protocol time. */
const event = fc.record({
  afterMs: fc.nat(12_000),
  what: fc.constantFrom('look', 'beat', 'late beat', 'spare', 'stop', 'exit'),
});

test('whatever happens in whatever order: nothing executes from the TTL of its last beat until the next accepted one', () => {
  fc.assert(
    fc.property(fc.array(event, { maxLength: 60 }), (events) => {
      let nowMs = 0;
      let beatMs = 0;
      let spareMs: number | undefined;
      let stopMs: number | undefined;
      let [exited, frozen, killed] = [false, false, false];
      const look = (): void => {
        const since = (ms: number | undefined): number | undefined => (ms === undefined ? undefined : nowMs - ms);
        const seen = {
          beatAgeMs: nowMs - beatMs,
          spareAgeMs: since(spareMs),
          stoppingMs: since(stopMs),
          exited,
          frozen,
        };
        const signal = decideSignal(seen, DEFAULT_TIMING);
        if (signal === 'term') stopMs ??= nowMs;
        if (signal === 'kill') killed = true;
        if (signal === 'freeze') frozen = true;
        if (signal === 'thaw') frozen = false;
      };
      for (const { afterMs, what } of events) {
        // The guard looks now and then, also while nothing happens.
        const untilMs = nowMs + afterMs;
        while (nowMs < untilMs) {
          nowMs = Math.min(untilMs, nowMs + leashCheckMs(DEFAULT_TIMING));
          look();
          if (killed) return;
          if (nowMs - beatMs >= heartbeatTtlMs) expect(frozen).toBe(true);
        }
        if (what === 'beat') beatMs = nowMs;
        if (what === 'late beat') beatMs = Math.max(beatMs, nowMs - 25_000);
        if (what === 'spare') spareMs = nowMs;
        if (what === 'stop') stopMs ??= nowMs;
        if (what === 'exit') exited = true;
        const before = frozen;
        look();
        if (before && !frozen) expect(nowMs - beatMs).toBeLessThan(trustTermMs);
      }
    }),
  );
});
