/** Every row of readiness (DESIGN 9), from what the rooms say of themselves to the answer. */
import { expect, test } from 'vitest';
import type { PollSummary } from '../../src/coordination/poll-board.ts';
import type { Project } from '../../src/domain/project.ts';
import { createRateLimits } from '../../src/platforms/rate-limits.ts';
import { createHealthCollector, type RoomStates } from '../../src/server/collect-health.ts';
import { type HealthFacts, healthBody, readiness } from '../../src/server/health.ts';

const project: Project = {
  name: 'api',
  source: { platform: 'github', host: 'github.com', container: 'org/api', apiUrl: 'https://api.github.com' },
  code: { type: 'git', url: 'https://github.com/org/api' },
  routing: { pipelineFromLabel: new Map() },
  polling: { intervalMs: 60_000, jitterPercent: 10 },
  triggers: new Set(['poll']),
};

const leader = { position: 'follower', holder: 'other', epoch: undefined, problem: undefined, sinceMs: 0 } as const;

const good: RoomStates = {
  redis: { state: 'up', reason: 'connected', sinceMs: 0, refused: false },
  consumerRunning: true,
  leaders: [
    { ...leader, role: 'poller' },
    { ...leader, role: 'housekeeping' },
  ],
  recoveringMs: 0,
  projects: [project],
  polls: new Map(),
  backlogs: undefined,
  missed: new Map(),
  webhookListener: 'up',
  credentials: [],
  findings: [],
};

const lastPoll: PollSummary = {
  project: project.name,
  by: 'pod-1',
  atMs: 0,
  durationMs: 10,
  result: 'ok',
  heldBack: false,
  retryAfterMs: undefined,
  discovered: 2,
  pending: 0,
  claimed: 0,
  skipped: {},
  truncated: false,
  requests: 1,
  effectiveIntervalMs: 60_000,
  engine: 'polling',
  recovered: 0,
};

function factsOf(states: Partial<RoomStates> = {}, more: Partial<HealthFacts> = {}): HealthFacts {
  return {
    ...createHealthCollector()({ ...good, ...states }),
    instance: 'pod-1',
    version: '1.0.0',
    draining: false,
    config: { state: 'ok', hash: 'abc', loadedAtMs: 0 },
    activeRuns: 0,
    ...more,
  };
}

type Body = {
  readonly status: string;
  readonly subsystems: readonly { readonly name: string; readonly state: string; readonly reason: string }[];
  readonly findings: readonly { readonly code: string }[];
};
const bodyOf = (facts: HealthFacts): Body => healthBody(facts) as Body;
const stateOf = (facts: HealthFacts, name: string): string | undefined =>
  facts.subsystems.find((subsystem) => subsystem.name === name)?.state;

test('all is well: ready, and every subsystem is listed under its name', () => {
  const facts = factsOf();
  expect(readiness(facts)).toEqual({ code: 200, body: { status: 'ready' } });
  expect(bodyOf(facts).status).toBe('ok');
  expect(bodyOf(facts).subsystems.map(({ name, state }) => `${name} ${state}`)).toEqual([
    'redis up',
    'queue_consumer up',
    'housekeeping up',
    'poller up',
    'webhooks disabled',
  ]);
});

test.each<[string, Partial<RoomStates>, string]>([
  ['unset', { redis: 'unset', consumerRunning: false, leaders: [] }, 'disabled'],
  [
    'unreachable',
    { redis: { state: 'down', reason: 'connect ECONNREFUSED 10.1.2.3:6379', sinceMs: 0, refused: false } },
    'degraded',
  ],
])('health: REDIS_URL %s -> not ready, still 200 on /health, and no address in either', (_, states, state) => {
  const facts = factsOf(states);
  expect(readiness(facts)).toMatchObject({ code: 503, body: { status: 'not_ready' } });
  for (const name of ['redis', 'queue_consumer', 'housekeeping', 'poller']) expect(stateOf(facts, name)).toBe(state);
  expect(bodyOf(facts).status).toBe('degraded');
  expect(JSON.stringify([readiness(facts), healthBody(facts)])).not.toContain('10.1.2.3');
});

test.each<[string, Partial<RoomStates>, string[]]>([
  ['no leader at the moment', { leaders: good.leaders.map((one) => ({ ...one, holder: undefined })) }, []],
  [
    'a term that failed',
    { leaders: [{ ...leader, role: 'poller', problem: 'bad cycle of https://secret.example' }] },
    ['term-failed'],
  ],
  ['recovery', { recoveringMs: 42_000 }, ['recovering']],
  [
    'a failing project',
    { findings: [{ code: 'poll-failing', severity: 'error', text: 'Project api cannot be polled.' }] },
    ['poll-failing'],
  ],
  ['webhooks not configured', {}, []],
])('health: %s is no reason not to be ready', (_, states, findings) => {
  const facts = factsOf(states);
  expect(readiness(facts).code).toBe(200);
  expect(bodyOf(facts).findings.map(({ code }) => code)).toEqual(findings);
  expect(bodyOf(facts).status).toBe(findings.length === 0 ? 'ok' : 'degraded');
  expect(JSON.stringify(healthBody(facts))).not.toContain('secret.example');
});

test('health: tickets that no claim gets through to are a finding, though the listing works', () => {
  const polls = (skipped: Record<string, number>) => new Map([[project.name, { ...lastPoll, skipped }]]);
  expect(bodyOf(factsOf({ polls: polls({ 'failed: contended': 1 }) })).findings).toEqual([]);
  expect(bodyOf(factsOf({ polls: polls({ 'failed: backing-off': 2 }) })).findings).toMatchObject([
    { code: 'claims-failing', text: expect.stringContaining('2 tickets could not be claimed') },
  ]);
});

test('health: the configuration asks for no polling -> the poller is disabled, and that is fine', () => {
  const { polling: _, ...unpolled } = project;
  for (const projects of [[], [unpolled], [{ ...project, disabled: 'GITHUB_TOKEN is not set' }]]) {
    const facts = factsOf({ projects });
    expect(stateOf(facts, 'poller')).toBe('disabled');
    expect(readiness(facts).code).toBe(200);
  }
});

const taker: Project = { ...project, triggers: new Set(['poll', 'webhook']) };
const reconcile = { intervalMs: 600_000, jitterPercent: 10 };
const onAuto: Project = { ...taker, engine: { mode: 'auto', reconcile } };
const webhooksOnly: Project = { ...taker, engine: { mode: 'streaming' } };
const taken = { webhookListener: { problem: 'the port of the webhook listener is taken' } };

test.each<[string, Partial<RoomStates>, string, 200 | 503]>([
  ['nobody takes any', { projects: [project], ...taken }, 'disabled', 200],
  ['whoever takes some is off', { projects: [{ ...taker, disabled: 'no token' }], ...taken }, 'disabled', 200],
  ['the listener is open', { projects: [taker] }, 'up', 200],
  ['it is not, and auto asked to poll then', { projects: [onAuto], ...taken }, 'degraded', 200],
  ['it is not, and nothing takes its place', { projects: [taker], ...taken }, 'down', 503],
  ['it is not, and one of the projects cannot be polled', { projects: [onAuto, webhooksOnly], ...taken }, 'down', 503],
])('health: webhooks, when %s', (_, states, state, code) => {
  const facts = factsOf(states);
  expect(stateOf(facts, 'webhooks')).toBe(state);
  expect(readiness(facts).code).toBe(code);
  expect(bodyOf(facts).status).toBe(state === 'degraded' || state === 'down' ? 'degraded' : 'ok');
});

test.each<[string, Project, Partial<PollSummary> | undefined, object]>([
  ['no event_engine', project, undefined, { configured: 'default', effective: 'polling' }],
  ['no event_engine, webhooks alone', unlisted(taker), undefined, { configured: 'default', effective: 'streaming' }],
  ['no way in', unlisted(project), undefined, { configured: 'default', effective: undefined }],
  ['streaming', webhooksOnly, undefined, { configured: 'streaming', effective: 'streaming' }],
  ['auto that nobody has decided yet', onAuto, undefined, { configured: 'auto', effective: undefined }],
  [
    'auto that works',
    onAuto,
    { engine: 'streaming' },
    { configured: 'auto', effective: 'streaming', reason: undefined },
  ],
  [
    'auto that has fallen back',
    onAuto,
    { engine: 'polling', engineReason: 'deliveries-stopped' },
    { configured: 'auto', effective: 'polling', reason: 'deliveries-stopped' },
  ],
  [
    'no auto any more since the last poll',
    { ...taker, engine: { mode: 'polling' } },
    { engine: 'polling', engineReason: 'no-secret' },
    { configured: 'polling', effective: 'polling', reason: undefined },
  ],
])('health: the engine of a project, %s', (_, one, poll, engine) => {
  const polls = new Map(poll === undefined ? [] : [[one.name, { ...lastPoll, ...poll }]]);
  expect(factsOf({ projects: [one], polls }).projects).toMatchObject([{ engine }]);
});

test('health: the interval is the one of the engine that works', () => {
  const polls = new Map([[onAuto.name, { ...lastPoll, engine: 'streaming', effectiveIntervalMs: 600_000 } as const]]);
  expect(factsOf({ projects: [onAuto], polls }).projects).toMatchObject([
    { interval_seconds: 600, effective_interval_seconds: 600 },
  ]);
});

test('health: a fallback is a finding on every replica, until the last poll says otherwise', () => {
  const codes = (projects: readonly Project[], poll: Partial<PollSummary>): string[] =>
    factsOf({ projects, polls: new Map([[project.name, { ...lastPoll, ...poll }]]) }).findings.map(({ code }) => code);
  const fallen = { engine: 'polling', engineReason: 'listener-down' } as const;
  expect(codes([onAuto], fallen)).toEqual(['event-engine-fallback']);
  expect(codes([onAuto], { engine: 'streaming' })).toEqual([]);
  expect(codes([taker], fallen)).toEqual([]);
});

test('health: many that have fallen back for one reason are one finding', () => {
  const many = Array.from({ length: 1_000 }, (_, i) => ({ ...onAuto, name: `p${i}` }));
  const fallen = { ...lastPoll, engineReason: 'listener-down' } as const;
  const { findings } = factsOf({ projects: many, polls: new Map(many.map(({ name }) => [name, fallen])) });
  expect(findings).toMatchObject([{ code: 'event-engine-fallback', text: expect.stringContaining('p0, p1') }]);
  expect(findings[0]?.text.length).toBeLessThan(300);
});

test('health: what the leader was told of the hooks is a finding on every replica, as long as webhooks are taken', () => {
  const finding = { code: 'hook-disabled', severity: 'error', text: 'switched off' } as const;
  const missed = new Map([['api', { sinceMs: 0, downMs: 0, finding }]]);
  expect(factsOf({ projects: [taker], missed }).findings).toEqual([finding]);
  expect(factsOf({ projects: [project], missed }).findings).toEqual([]);
});

function unlisted(plain: Project): Project {
  const { polling: _, ...rest } = plain;
  return rest;
}

test('health: a consumer that takes no jobs, and a replica that drains, are not ready', () => {
  const idle = factsOf({ consumerRunning: false });
  expect(stateOf(idle, 'queue_consumer')).toBe('down');
  expect(readiness(idle).code).toBe(503);
  expect(readiness(factsOf({}, { draining: true }))).toMatchObject({ code: 503, body: { draining: true } });
});

test('health: a finding that only informs leaves the status ok', () => {
  const facts = factsOf({ findings: [{ code: 'something', severity: 'info', text: 'Something.' }] });
  expect(bodyOf(facts).status).toBe('ok');
});

test('health: the moment of the last change is kept while the state stays the same', () => {
  const collect = createHealthCollector();
  const changedAt = (states: RoomStates) =>
    collect(states).subsystems.find(({ name }) => name === 'redis')?.lastChangedMs;
  const first = changedAt(good);
  expect(changedAt(good)).toBe(first);
  const lost: RoomStates = { ...good, redis: { state: 'down', reason: 'gone', sinceMs: 0, refused: false } };
  const lostAt = changedAt(lost);
  expect(lostAt).toBeGreaterThanOrEqual(first ?? 0);
  expect(changedAt({ ...lost, redis: { state: 'down', reason: 'another reason', sinceMs: 0, refused: false } })).toBe(
    lostAt,
  );
});

test('health: the last poll of a project is shown with whoever polled, its kind of error and the interval of the moment', () => {
  const facts = factsOf({
    polls: new Map([
      [
        'api',
        {
          project: 'api',
          by: 'pod-2',
          result: 'auth',
          heldBack: false,
          retryAfterMs: 6_500,
          requests: 2,
          effectiveIntervalMs: 120_000,
          engine: 'polling',
          recovered: 0,
          discovered: 0,
          pending: 0,
          claimed: 0,
          skipped: {},
          truncated: true,
          durationMs: 12,
          atMs: Date.UTC(2026, 0, 2),
        },
      ],
    ]),
  });
  expect(facts.projects).toMatchObject([
    {
      name: 'api',
      interval_seconds: 60,
      effective_interval_seconds: 120,
      last_poll: {
        by: 'pod-2',
        result: 'auth',
        truncated: true,
        requests: 2,
        retry_after_seconds: 7,
        at_utc: '2026-01-02T00:00:00.000Z',
      },
    },
  ]);
  expect(factsOf().projects).toMatchObject([{ effective_interval_seconds: 60, last_poll: undefined }]);
});

test('health: what waits in the backlog of a project and what counts towards its cap, once it is known', () => {
  const capped = [{ ...project, maxParallelJobs: 2 }];
  const seen = { projects: capped, backlogs: new Map([[project.name, { waiting: 9, putOff: 4, admitted: 2 }]]) };
  expect(factsOf(seen).projects).toMatchObject([{ backlog: 9, put_off: 4, admitted: 2, max_parallel_jobs: 2 }]);
  expect(factsOf({ backlogs: new Map() }).projects).toMatchObject([{ backlog: 0, admitted: 0 }]);
  expect(factsOf({ backlogs: undefined }).projects).toMatchObject([{ backlog: undefined, admitted: undefined }]);
});

test('health: the budget of each credential is shown, and one that is held for more than a minute is a finding', async () => {
  const limits = createRateLimits();
  const states = { credentials: [{ credential: 'github~github.com~abc', platform: 'github', limits }] } as const;
  expect(factsOf(states)).toMatchObject({
    findings: [],
    budgets: [{ credential: 'github~github.com~abc', platform: 'github', held_for_seconds: 0, stretch: 1 }],
  });
  await limits.learn({ limit: 1_000, remaining: 325, resetMs: 1_800_000, windowMs: 3_600_000 }, 'GET /');
  await limits.learn({ waitMs: 60_000 }, 'GET /');
  expect(factsOf(states)).toMatchObject({
    findings: [],
    budgets: [{ limit: 1_000, remaining: 325, resets_in_seconds: 1_800, held_for_seconds: 60, stretch: 1.8 }],
  });
  await limits.learn({ waitMs: 90_000 }, 'GET /');
  const [finding] = factsOf(states).findings;
  expect(finding).toMatchObject({ code: 'credential-limited', severity: 'warning' });
  expect(finding?.text).toContain('no call is made');
  expect(readiness(factsOf(states)).code).toBe(200);
});

test('health: a budget that is down to its reserve is a finding too', async () => {
  const limits = createRateLimits();
  await limits.learn({ limit: 1_000, remaining: 100, resetMs: 1_800_000, windowMs: 3_600_000 }, 'GET /');
  const { findings } = factsOf({ credentials: [{ credential: 'bot', platform: 'github', limits }] });
  expect(findings).toMatchObject([
    { code: 'credential-limited', text: expect.stringContaining('kept for claims and labels') },
  ]);
});
