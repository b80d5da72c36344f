/**
 * The order of the files: those that wait for protocol time start first, so that no long one is left to run alone at the
 * end. Vitest does that by the durations of the last run; a fresh clone has none, and would go by the size of the files.
 */
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Under test/, the slowest first. Files that take less than five seconds need no place. */
export const SLOW_FILES: readonly string[] = [
  'outages/rolling-restart',
  'outages/redis-restart',
  'outages/redis-flush',
  'outages/redis-failover',
  'outages/redis-refuses',
  'outages/redis-hang',
  'worker/outage',
  'server/replica-health',
  'coordination/leader-processes',
  'webhooks/killed-receivers',
  'cli/demo/demo',
  'redis/sentinel',
  'redis/cluster',
  'cli/claim',
  'worker/dead-worker',
  'redis/connection',
  'repair/repair-times',
  'worker/shutdown',
  'worker/guard/freeze',
  'worker/pauses',
  'repair/two-deployments',
  'cli/doctor',
  'queue/run-queue',
  'webhooks/auto-engine',
  'webhooks/switched-engines',
  'claims/killed-claims',
  'ingress/polls/pollers',
  'ingress/deliveries/inbox',
  'worker/guard/guard',
  'cli/endings',
  'cli/explain',
  'server/shared-budget',
  'cli/emulate',
  'worker/attempt-table',
  'server/whole-way',
  'model/protocol',
  'worker/attempt',
  'runner',
];

/** A class because Vitest asks for one. */
export class SlowFirstSequencer extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    return sorted.toSorted((a, b) => placeOf(a) - placeOf(b));
  }
}

function placeOf({ moduleId }: TestSpecification): number {
  const place = SLOW_FILES.findIndex((name) => moduleId.endsWith(`/test/${name}.test.ts`));
  return place === -1 ? SLOW_FILES.length : place;
}
