import { expect, test } from 'vitest';
import type { Project } from '../../../src/domain/project.ts';
import { decideEngine, type EngineFacts, engineMode } from '../../../src/ingress/engines/engine-choice.ts';

const DOUBT_MS = 30_000;
const STAY_MS = 600_000;
const works: EngineFacts = {
  mode: 'auto',
  webhooks: true,
  listenerUp: true,
  lastDeliveryMs: undefined,
  missed: undefined,
  stoppedAtMs: undefined,
};
/** A change was missed at 1,000; the last delivery that was known then is 500 of another clock. */
const missed = { atMs: 1_000, lastDeliveryMs: 500 };

const rows: [string, Partial<EngineFacts>, nowMs: number, decision: string][] = [
  ['auto where all is well', {}, 0, 'streaming'],
  ['auto without a secret', { webhooks: false }, 0, 'polling no-secret'],
  ['auto without a listener', { listenerUp: false }, 0, 'polling listener-down'],
  ['auto, quiet for long, and nothing missed', { lastDeliveryMs: 1 }, 1e9, 'streaming'],
  ['auto, missed a moment ago', { missed, lastDeliveryMs: 500 }, 1_000 + DOUBT_MS - 1, 'streaming'],
  [
    'auto, missed and no delivery since',
    { missed, lastDeliveryMs: 500 },
    1_000 + DOUBT_MS,
    'polling deliveries-stopped',
  ],
  [
    'auto, missed and never any delivery',
    { missed: { atMs: 0, lastDeliveryMs: undefined } },
    1e9,
    'polling deliveries-stopped',
  ],
  [
    'auto, and Redis has forgotten the last delivery',
    { missed, lastDeliveryMs: undefined },
    1e9,
    'polling deliveries-stopped',
  ],
  ['auto, missed and a delivery since', { missed, lastDeliveryMs: 501 }, 1e9, 'streaming'],
  [
    'auto, and the first delivery ever',
    { missed: { atMs: 0, lastDeliveryMs: undefined }, lastDeliveryMs: 1 },
    1e9,
    'streaming',
  ],
  [
    'auto, stopped a while ago, and deliveries come again',
    { missed, lastDeliveryMs: 501, stoppedAtMs: 40_000 },
    40_000 + STAY_MS - 1,
    'polling deliveries-stopped',
  ],
  [
    'auto, stopped long enough ago, and deliveries come again',
    { missed, lastDeliveryMs: 501, stoppedAtMs: 40_000 },
    40_000 + STAY_MS,
    'streaming',
  ],
  [
    'auto, stopped long ago, and still none',
    { missed, lastDeliveryMs: 500, stoppedAtMs: 40_000 },
    1e9,
    'polling deliveries-stopped',
  ],
  [
    'streaming, whatever is missing',
    { mode: 'streaming', webhooks: false, listenerUp: false, missed },
    1e9,
    'streaming',
  ],
  ['polling, whatever there is', { mode: 'polling' }, 0, 'polling'],
];

test.each(rows)('%s', (_, facts, nowMs, decision) => {
  const { engine, reason } = decideEngine(nowMs, { ...works, ...facts }, { doubtMs: DOUBT_MS, stayMs: STAY_MS });
  expect([engine, reason].filter((word) => word !== undefined).join(' ')).toBe(decision);
});

test('without event_engine a project that is listed is polled, and one that is not streams', () => {
  const project: Project = {
    name: 'api',
    source: { platform: 'github', host: 'github.com', container: 'org/api', apiUrl: 'https://api.github.com' },
    code: { type: 'git', url: 'https://github.com/org/api' },
    routing: { pipelineFromLabel: new Map() },
    triggers: new Set(['webhook']),
  };
  const polling = { intervalMs: 60_000, jitterPercent: 10 };
  expect(engineMode(project)).toBe('streaming');
  expect(engineMode({ ...project, polling })).toBe('polling');
  expect(engineMode({ ...project, polling, engine: { mode: 'streaming' } })).toBe('streaming');
});
