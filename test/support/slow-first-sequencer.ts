/**
 * The order of the files: those that wait for protocol time start first, so that no long one is left to run alone at the
 * end. Vitest does that by the durations of the last run; a fresh clone has none, and would go by the size of the files.
 */
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Under test/, the slowest first. Files that take less than five seconds need no place. */
export const SLOW_FILES: readonly string[] = [
  'proofs/worker/outage',
  'chaos/chaos',
  'proofs/worker/runners/http/whole-way',
  'proofs/outages/redis-restart',
  'proofs/outages/rolling-restart',
  'proofs/outages/redis-flush',
  'proofs/webhooks/killed-receivers',
  'proofs/repair/repair-times',
  'worker/dead-worker',
  'proofs/worker/cancel',
  'proofs/worker/caps-under-kill',
  'proofs/coordination/leader-processes',
  'proofs/server/replica-health',
  'redis/sentinel',
  'proofs/outages/redis-failover',
  'redis/cluster',
  'cli/demo/demo',
  'claims/killed-claims',
  'examples/pull-request',
  'worker/starvation',
  'worker/attempt',
  'worker/pauses',
  'worker/guard/guard',
  'redis/connection',
  'queue/run-queue',
  'cli/explain',
  'cli/claim',
  'proofs/webhooks/auto-engine',
  'proofs/outages/redis-refuses',
  'ingress/deliveries/inbox',
  'proofs/worker/shutdown',
  'ingress/polls/pollers',
  'repair/orphaned-labels',
  'claims/failing-claims',
  'repair/held-back-pass',
  'claims/unwanted-runs',
  'proofs/outages/redis-hang',
  'proofs/cli/endings',
  'platforms/conformance',
  'worker/guard/freeze',
  'worker/attempt-table',
  'proofs/worker/runners/kubernetes/takeover',
  'worker/runners/kubernetes/broken-ways',
  'proofs/webhooks/switched-engines',
  'repair/two-deployments',
  'server/shared-budget',
  'cli/doctor',
  'server/whole-way',
  'runner',
  'model/protocol',
];

/** So many quick ones follow each slow one: who waits leaves the processors to who works. */
const QUICK_PER_SLOW = 4;

/** A class because Vitest asks for one. */
export class SlowFirstSequencer extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const isSlow = (file: TestSpecification): boolean => placeOf(file) < SLOW_FILES.length;
    const slow = sorted.filter(isSlow).toSorted((a, b) => placeOf(a) - placeOf(b));
    const quick = sorted.filter((file) => !isSlow(file));
    const mixed = slow.flatMap((file, n) => [file, ...quick.slice(n * QUICK_PER_SLOW, (n + 1) * QUICK_PER_SLOW)]);
    return [...mixed, ...quick.slice(slow.length * QUICK_PER_SLOW)];
  }
}

function placeOf({ moduleId }: TestSpecification): number {
  const place = SLOW_FILES.findIndex((name) => moduleId.endsWith(`/test/${name}.test.ts`));
  return place === -1 ? SLOW_FILES.length : place;
}
