import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect, onTestFinished, test } from 'vitest';
import type { HealthFacts } from '../../src/server/health.ts';
import { createHttpApp } from '../../src/server/http-app.ts';
import { createMetrics, type Gauges } from '../../src/server/metrics.ts';
import { createServer } from '../../src/server/server.ts';
import { silentLog } from '../support/house.ts';

const facts: HealthFacts = {
  instance: 'pod-1',
  version: '1.0.0',
  draining: false,
  subsystems: [{ name: 'redis', state: 'up', reason: 'connected', lastChangedMs: 0, wanted: true }],
  findings: [],
  roles: [],
  projects: [],
  budgets: [],
  config: { state: 'ok', hash: 'abc', loadedAtMs: 0 },
  activeRuns: 0,
};
const gauges: Gauges = {
  runs: { queued: 2, running: 1 },
  queueDepth: 2,
  inboxDepth: 4,
  activeRuns: 1,
  slots: 20,
  unconfirmedLabels: 3,
  findings: { 'poll-failing': 1 },
  budgets: [
    {
      credential: 'github~github.com~abc',
      platform: 'github',
      limit: 5_000,
      remaining: 4_320,
      resets_in_seconds: 60,
      held_for_seconds: 7,
      stretch: 1.5,
    },
    {
      credential: 'jira~jira.corp~def',
      platform: 'jira',
      limit: undefined,
      remaining: undefined,
      resets_in_seconds: undefined,
      held_for_seconds: 0,
      stretch: 1,
    },
  ],
  pollIntervals: { api: 90 },
  lastPolls: [{ project: 'api', result: 'auth', atMs: 1_700_000_000_500 }],
  backlogs: [{ project: 'api', waiting: 12, admitted: 3 }],
  leaderEpoch: { poller: 1_700_000_000_123, housekeeping: 0 },
  ready: true,
};

async function open(health: () => HealthFacts = () => facts, read: () => Promise<Gauges> = async () => gauges) {
  const metrics = createMetrics(read);
  const server = createServer({ health, metrics, log: silentLog });
  const port = await server.listen({ host: '127.0.0.1', port: 0 });
  onTestFinished(() => server.close());
  const get = (path: string, init: RequestInit = {}): Promise<Response> =>
    fetch(`http://127.0.0.1:${port}${path}`, { ...init, headers: { connection: 'close' } });
  return { get, metrics, port };
}

test('/health answers 200 whatever is wrong, /health/ready says whether the replica can do its share', async () => {
  let now = facts;
  const { get } = await open(() => now);
  expect((await get('/health/ready')).status).toBe(200);
  now = { ...facts, draining: true };
  expect((await get('/health')).status).toBe(200);
  const ready = await get('/health/ready');
  expect(ready.status).toBe(503);
  expect(await ready.json()).toMatchObject({ status: 'not_ready', subsystems: [{ name: 'redis' }] });
});

test('an unknown route and a wrong method are 404 in JSON, and an error inside is 500 without its text', async () => {
  const { get } = await open(undefined, () => Promise.reject(new Error('redis://:hunter2@cache')));
  for (const answer of [await get('/nothing'), await get('/health', { method: 'POST' }), await get('/webhook/x')]) {
    expect(answer.status).toBe(404);
    expect(await answer.json()).toEqual({ error: 'not found' });
  }
  const broken = await get('/metrics');
  expect(broken.status).toBe(500);
  expect(await broken.json()).toEqual({ error: 'internal error' });
});

test('a port that is taken is an error of the start', async () => {
  const { port } = await open();
  const second = createServer({ health: () => facts, metrics: createMetrics(async () => gauges), log: silentLog });
  await expect(second.listen({ host: '127.0.0.1', port })).rejects.toThrow('EADDRINUSE');
  await second.close();
});

test('closing: what is under way is answered, and nobody else who keeps a connection open is waited for', async () => {
  const app = createHttpApp(undefined, 50);
  const { promise: answer, resolve: go } = Promise.withResolvers<object>();
  const asked = new Promise<void>((resolve) => {
    app.get('/slow', () => {
      resolve();
      return answer;
    });
  });
  const { port } = new URL(await app.listen({ host: '127.0.0.1', port: 0 }));
  const open = async (sent: string): Promise<Socket> => {
    const socket = connect(Number(port), '127.0.0.1');
    await once(socket, 'connect');
    socket.on('error', () => {}).write(sent);
    return socket;
  };
  await open('');
  await open('GET /sl');
  const whole = await open('GET /slow HTTP/1.1\r\nHost: x\r\n\r\n');
  await asked;
  const closed = app.close();
  go({ well: 'done' });
  expect(await text(whole)).toContain('{"well":"done"}');
  await closed;
}, 5_000);

test('metrics: all names begin with agentsmith_, and what DESIGN 11 lists is there', async () => {
  const { get, metrics } = await open();
  metrics.claim({ platform: 'github', outcome: 'claimed', trigger: 'poll' });
  metrics.poll({ platform: 'github', result: 'auth', durationMs: 1_500 });
  metrics.platformRequest({ platform: 'github', purpose: 'discovery', status: '304', durationMs: 20 });
  metrics.runEnded({ project: 'api', pipeline: 'fix-bug', state: 'completed', durationMs: 2_000 });
  metrics.labelConfirmed({ state: 'completed', lagMs: 300 });
  metrics.repair({ kind: 'dead-attempt' });
  metrics.callback({ result: 'kept' });
  const answer = await get('/metrics');
  expect(answer.headers.get('content-type')).toContain('text/plain');
  const page = await answer.text();
  for (const line of page.split('\n')) expect(line).toMatch(/^$|^# (HELP|TYPE) agentsmith_|^agentsmith_/);
  for (const line of [
    'agentsmith_claims_total{platform="github",outcome="claimed",trigger="poll"} 1',
    'agentsmith_polls_total{platform="github",result="auth"} 1',
    'agentsmith_poll_duration_seconds_sum{platform="github"} 1.5',
    'agentsmith_platform_requests_total{platform="github",purpose="discovery",status="304"} 1',
    'agentsmith_platform_budget_limit{platform="github",credential="github~github.com~abc"} 5000',
    'agentsmith_platform_rate_limit_remaining{platform="github",credential="github~github.com~abc"} 4320',
    'agentsmith_platform_budget_held_seconds{platform="github",credential="github~github.com~abc"} 7',
    'agentsmith_platform_budget_held_seconds{platform="jira",credential="jira~jira.corp~def"} 0',
    'agentsmith_poll_effective_interval_seconds{project="api"} 90',
    'agentsmith_last_poll_timestamp_seconds{project="api",result="auth"} 1700000000.5',
    'agentsmith_backlog_runs{project="api"} 12',
    'agentsmith_admitted_runs{project="api"} 3',
    'agentsmith_runs_ended_total{project="api",pipeline="fix-bug",state="completed"} 1',
    'agentsmith_run_duration_seconds_count{pipeline="fix-bug",state="completed"} 1',
    'agentsmith_label_lag_seconds_sum{state="completed"} 0.3',
    'agentsmith_repairs_total{kind="dead-attempt"} 1',
    'agentsmith_callbacks_total{result="kept"} 1',
    'agentsmith_runs{state="queued"} 2',
    'agentsmith_queue_depth 2',
    'agentsmith_active_runs 1',
    'agentsmith_slots 20',
    'agentsmith_unconfirmed_labels 3',
    'agentsmith_findings{code="poll-failing"} 1',
    'agentsmith_leader_epoch{role="poller"} 1700000000123',
    'agentsmith_leader_epoch{role="housekeeping"} 0',
    'agentsmith_ready 1',
  ]) {
    expect(page).toContain(`${line}\n`);
  }
});

test('metrics: what is gone is not shown any more, and an unknown depth is no depth of 0', async () => {
  let read = gauges;
  const { get } = await open(undefined, async () => read);
  const page = async (): Promise<string> => (await get('/metrics')).text();
  const [budget] = gauges.budgets;
  if (budget === undefined) throw new Error('no budget');
  read = { ...gauges, budgets: [...gauges.budgets, { ...budget, credential: 'github~github.com~old' }] };
  expect(await page()).toContain('rate_limit_remaining{platform="github",credential="github~github.com~old"} 4320');
  read = gauges;
  expect(await page()).toContain('rate_limit_remaining{platform="github",credential="github~github.com~abc"} 4320');
  // A credential that was rotated: who watches for a low remainder must not be told of the last one for ever.
  expect(await page()).not.toContain('github~github.com~old');
  expect(await page()).toContain('agentsmith_runs{state="queued"} 2');
  expect(await page()).not.toMatch(/(budget_limit|rate_limit_remaining)\{platform="jira"/);
  const unknown = { queueDepth: undefined, unconfirmedLabels: undefined };
  read = { ...gauges, ...unknown, runs: {}, findings: {}, budgets: [], pollIntervals: {}, lastPolls: [] };
  const later = await page();
  expect(later).not.toContain('agentsmith_runs{');
  expect(later).not.toContain('agentsmith_findings{');
  expect(later).not.toContain('agentsmith_platform_budget_held_seconds{');
  expect(later).not.toContain('agentsmith_poll_effective_interval_seconds{');
  expect(later).not.toContain('agentsmith_last_poll_timestamp_seconds{');
  expect(later).not.toMatch(/^agentsmith_(queue_depth|unconfirmed_labels) \d/m);
});
