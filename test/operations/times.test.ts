/** The times that operators are told are computed from the timing of the product. */
import { expect, test } from 'vitest';
import { DEFAULT_TIMING as T } from '../../src/domain/timing.ts';
import { CLOSE_PATIENCE_MS } from '../../src/server/http-app.ts';
import { leashCheckMs } from '../../src/worker/guard/leash.ts';
import { pauseAfter } from '../../src/worker/turn-processor.ts';
import { pageText, section, tableRows } from './pages.ts';

const page = pageText('docs/operations.md');
const rows = tableRows(section(page, 'How long things take'), 'what');
const s = (ms: number): string => `${Math.ceil(ms / 1000)} s`;
const h = (ms: number): string => `${ms / 3_600_000} h`;

/** What the leader's ways of looking make of it. */
const handedBackMs = T.heartbeatTtlMs + T.staleScanMs + T.staleConfirmMs;
const nextLeaderMs = T.leaseTtlMs + T.leaseRenewMs / 50;
const shutdownMs = T.stopGraceMs + T.redisSocketMs + T.redisCommandMs + CLOSE_PATIENCE_MS;

const EXPECTED: Readonly<Record<string, readonly string[]>> = {
  'another leader after a leader was killed': [s(nextLeaderMs)],
  "a dead worker's run is queued again": [s(handedBackMs)],
  'a command is stopped after the last accepted heartbeat': [s(T.trustTermMs), s(T.trustKillMs)],
  'pause before the third, and each later attempt of an interrupted run': [s(pauseAfter(2, T)), s(pauseAfter(3, T))],
  'a run on record without a job has one': [s(T.reconcileGraceMs + T.reconcileScanMs), s(nextLeaderMs)],
  'a run in a backlog is admitted': [s(T.admitMs)],
  'a claim that died half-way goes on': [s(T.claimLockTtlMs + T.reconcileScanMs)],
  'a label that a worker could not write is written': [s(T.projectionGraceMs + T.projectionScanMs)],
  'a label without a record is adopted or put back': [s(T.platformPassMs + T.staleScanMs + T.secondReadMs)],
  'the same after a loss of data': [s(T.redisProbeMs + T.recoveryRepairMs + T.staleScanMs + T.secondReadMs)],
  'after a loss of data: claims, starts, repair': [s(T.recoveryClaimsMs), s(T.recoveryStartsMs), s(T.recoveryRepairMs)],
  'a hung Redis is noticed': [s(T.redisProbeMs + T.redisCommandMs)],
  'a ticket that cannot be read is tried again': [s(T.attemptRetryMaxMs)],
  'of a project that had ten such turns in a row, one run is tried': [s(T.startProbeMs)],
  'a claim that failed for certain is tried again': [s(T.claimBackoffMaxMs)],
  'a delivery whose ticket cannot be looked at is tried again': [s(T.inboxRetryMaxMs), h(T.inboxGiveUpMs)],
  'a label that the platform refuses ends as `unwritable`': [h(T.labelGiveUpMs)],
  'an orderly end': [s(shutdownMs)],
};

test('every row of the table of times is computed, and says what was computed', () => {
  const shown = rows.map(([what = '', most = '']) => [what, most.match(/\b\d+ (?:s|h)\b/g)]);
  expect(Object.fromEntries(shown)).toEqual(EXPECTED);
});

test('the second turn of a run comes at once, and no leader that died with the worker makes it later', () => {
  expect(pauseAfter(1, T)).toBe(0);
  const byNextLeaderMs = nextLeaderMs + T.staleScanMs + T.staleConfirmMs;
  expect(byNextLeaderMs).toBeLessThanOrEqual(handedBackMs);
});

test('the README and the page name the same patience before SIGKILL', () => {
  const [, readme] = /Allow (\d+) s more\s+than the grace before SIGKILL/.exec(pageText('README.md')) ?? [];
  expect(`${readme} s`).toBe(s(shutdownMs));
  expect(section(page, 'Routine').replaceAll('\n', ' ')).toContain(`that time and ${s(shutdownMs)} before SIGKILL`);
});

test('the reasons in the table of times are those of the timing', () => {
  const because = Object.fromEntries(rows.map(([what = '', , why = '']) => [what, why.match(/\b\d+ s\b/g) ?? []]));
  expect(because["a dead worker's run is queued again"]).toEqual([s(T.heartbeatTtlMs), s(T.staleScanMs)]);
  expect(because['another leader after a leader was killed']).toEqual([s(T.leaseTtlMs)]);
  expect(because['a claim that died half-way goes on']).toEqual([s(T.claimLockTtlMs)]);
  expect(because['a label without a record is adopted or put back']).toEqual([
    s(T.platformPassMs),
    s(T.staleScanMs),
    s(T.secondReadMs),
  ]);
  expect(because['the same after a loss of data']).toEqual([s(T.recoveryRepairMs)]);
  expect(because['an orderly end']).toEqual([
    s(T.stopGraceMs),
    s(T.redisSocketMs),
    s(T.redisCommandMs),
    s(CLOSE_PATIENCE_MS),
  ]);
});

test('the windows that are not covered are as long as the timing makes them', () => {
  const windows = section(pageText('docs/guarantees.md'), 'Not covered');
  const row = (words: string): string[] =>
    (windows.split('\n').find((line) => line.includes(words)) ?? '').match(/\b\d+ (?:s|ms|min)\b/g) ?? [];
  const passMs = T.platformPassMs + T.staleScanMs + T.secondReadMs;
  expect(row('on the wire')).toEqual([
    s(T.claimCallMs),
    s(2 * T.claimCallMs),
    s(T.projectionGraceMs + T.projectionScanMs),
    s(passMs),
  ]);
  expect(row('is suspended')).toEqual([s(passMs)]);
  expect(windows).toContain(`from ${T.runTtlMs / 86_400_000} days after the end`);
  expect(windows).toContain(`that label (${h(T.labelGiveUpMs)} at most)`);
  expect(row('lag behind')).toEqual([s(T.confirmedDoubtMs), s(T.secondReadMs)]);
  expect(row('one by one')).toEqual([s(T.heartbeatMs)]);
  expect(row('appendfsync').slice(1)).toEqual([s(T.recoveryClaimsMs), s(T.recoveryStartsMs), s(T.recoveryRepairMs)]);
  expect(row('an outage of Redis')).toEqual([s(T.trustTermMs)]);
  expect(row('with different configurations')).toEqual([`${T.configDriftMs / 60_000} min`]);
  expect(leashCheckMs(T)).toBe(500);
});
