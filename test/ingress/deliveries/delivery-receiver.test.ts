/** From a request to a record on a real Redis (PROTOCOL 8, rows E5 to E8, D1 to D4 and D9): proof, routing, persistence. */
import { hash } from 'node:crypto';
import { PassThrough } from 'node:stream';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { createPlaceIds } from '../../../src/coordination/place-ids.ts';
import type { Project } from '../../../src/domain/project.ts';
import type { TicketSource } from '../../../src/domain/ticket.ts';
import { createFindings, type Findings } from '../../../src/foundation/findings.ts';
import { createLog, type Log } from '../../../src/foundation/log.ts';
import { createRedactor } from '../../../src/foundation/redactor.ts';
import {
  createDeliveryReceiver,
  type DeliveryReceiver,
  type ReceptionFacts,
} from '../../../src/ingress/deliveries/delivery-receiver.ts';
import type { WebhookDoor } from '../../../src/ingress/deliveries/webhook-doors.ts';
import { githubWebhook } from '../../../src/platforms/github/webhook.ts';
import { createDeliveryRecords, type DeliveryRecords } from '../../../src/runs/delivery-records.ts';
import { FAST, openRooms, type Rooms, silentLog } from '../../support/house.ts';
import { useRedis } from '../../support/redis.ts';
import { SECRET, sentIssue } from './deliveries.ts';

const redis = useRedis();
/** Less than a command to Redis may take. */
const DELIVERY_WRITE_MS = 500;
let rooms: Rooms;
let records: DeliveryRecords;
let findings: Findings;
let nudges: number;
let configHash: string;
let receptions: ReceptionFacts[];
let log: Log;

beforeEach(async () => {
  const catalog = { hash: '', projects: [], pipelines: new Map() };
  rooms = await openRooms(catalog, () => neverAsked(), { redisUrl: redis.url });
  onTestFinished(rooms.close);
  records = createDeliveryRecords(rooms.redis, FAST);
  findings = createFindings();
  nudges = 0;
  configHash = 'config-1';
  receptions = [];
  log = silentLog;
});

function neverAsked(): never {
  throw new Error('no platform is asked when a delivery arrives');
}

const GITHUB: TicketSource = {
  platform: 'github',
  host: 'github.com',
  container: 'org/api',
  apiUrl: 'https://api.github.com',
};

function door(name: string, change: Partial<WebhookDoor> = {}, source: Partial<TicketSource> = {}): WebhookDoor {
  const project: Project = {
    name,
    source: { ...GITHUB, ...source },
    code: { type: 'GitHub', url: 'https://github.com/org/api' },
    routing: { pipelineFromLabel: new Map([['agent-smith', 'fix-bug']]) },
    triggers: new Set(['webhook', 'manual', 'reconcile']),
  };
  return { project, dialect: githubWebhook, secrets: [SECRET], allowUnsigned: false, ...change };
}

function receiverOf(...doors: WebhookDoor[]): DeliveryReceiver {
  return createDeliveryReceiver(
    {
      doors: () => doors,
      configHash: () => configHash,
      records,
      placeIds: createPlaceIds(rooms.redis, silentLog),
      runs: rooms.runs,
      onAccepted: () => {
        nudges += 1;
      },
      onReception: (facts) => receptions.push(facts),
      findings,
      log,
    },
    { deliveryWriteMs: DELIVERY_WRITE_MS },
  );
}

const stored = async (): Promise<number> => (await redis.client.keys('agentsmith:delivery:*')).length;

test('a signed delivery is on record before it is accepted, and wakes the inbox', async () => {
  const request = sentIssue({ id: 'd1' });
  const reception = await receiverOf(door('api')).receive(request);
  expect(reception).toEqual({ kind: 'accepted', delivery: 'github:api.1:d1' });
  expect(await records.get('github:api.1:d1')).toMatchObject({
    event: 'issues',
    action: 'labeled',
    installation: '99',
    place: 'org/api',
    placeId: '42',
    payloadHash: hash('sha256', request.body),
    projects: ['api'],
    tickets: ['github~github.com~org%2Fapi~7'],
    state: 'received',
    derived: false,
    configHash: 'config-1',
  });
  expect(nudges).toBe(1);
});

test.each([
  ['without a signature', { secret: undefined }],
  ['with another secret', { secret: 'not-the-secret' }],
])('%s it is refused, and leaves no trace', async (_, sent) => {
  expect(await receiverOf(door('api')).receive(sentIssue(sent))).toEqual({ kind: 'unproven' });
  expect(await stored()).toBe(0);
  expect(nudges).toBe(0);
});

test('a wrong secret is told of for each route, once in a while', async () => {
  const lines = new PassThrough();
  log = createLog({ level: 'warn', redactor: createRedactor(), destination: lines });
  const receiver = receiverOf(door('api'), door('web'));
  const knock = (project?: string) => receiver.receive({ ...sentIssue({ secret: 'not-the-secret' }), project });
  for (const project of [undefined, 'api', 'api', 'web', undefined]) await knock(project);
  const told = String(lines.read() ?? '')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { project?: string });
  expect(told.map(({ project }) => project)).toEqual([undefined, 'api', 'web']);
  expect(told).toMatchObject(told.map(() => ({ event: 'webhook_rejected_signature', platform: 'github' })));
});

test('a route whose last request proved nothing is a finding, until one is proven', async () => {
  const receiver = receiverOf(door('api'));
  await receiver.receive(sentIssue({ secret: 'not-the-secret' }));
  expect(findings.all()).toMatchObject([{ code: 'webhook-unproven', severity: 'info' }]);
  await receiver.receive(sentIssue());
  expect(findings.all()).toEqual([]);
});

test('no secret is no proof: a project without one takes nothing, unless it says that it takes the unsigned', async () => {
  expect(await receiverOf(door('api', { secrets: [] })).receive(sentIssue({ secret: '' }))).toEqual({
    kind: 'unproven',
  });
  const open = receiverOf(door('api', { secrets: [], allowUnsigned: true }));
  expect(await open.receive(sentIssue({ secret: undefined }))).toMatchObject({ kind: 'accepted' });
});

test('while a secret is changed, the new one and the old one are both good', async () => {
  const receiver = receiverOf(door('api', { secrets: ['the-new-secret', SECRET] }));
  expect(await receiver.receive(sentIssue({ secret: 'the-new-secret' }))).toMatchObject({ kind: 'accepted' });
  expect(await receiver.receive(sentIssue())).toMatchObject({ kind: 'accepted' });
});

test("one project's secret starts nothing in another one: not on the bare route, not on its own, not by name", async () => {
  const receiver = receiverOf(
    door('api', { secrets: ['secret-of-api'] }),
    door('web', { secrets: ['secret-of-web'] }, { container: 'org/web' }),
  );
  const forged = { secret: 'secret-of-api', repository: 'org/web' };
  expect(await receiver.receive(sentIssue(forged))).toMatchObject({ kind: 'ignored', reason: 'no-project' });
  expect(await receiver.receive(sentIssue({ ...forged, project: 'api' }))).toMatchObject({ reason: 'no-project' });
  expect(await receiver.receive(sentIssue({ ...forged, project: 'web' }))).toEqual({ kind: 'unproven' });
  expect(await records.depth()).toBe(0);
});

test('on one repository, too, a secret reaches its own project alone', async () => {
  const receiver = receiverOf(door('one', { secrets: ['secret-of-one'] }), door('two', { secrets: ['secret-of-two'] }));
  await receiver.receive(sentIssue({ id: 'd1', secret: 'secret-of-two' }));
  expect(await records.get('github:two.1:d1')).toMatchObject({ projects: ['two'] });
});

test('nobody can swallow the delivery of a hook whose secret he does not know', async () => {
  const receiver = receiverOf(
    door('api', { secrets: ['secret-of-api'] }),
    door('web', { secrets: ['secret-of-web'] }, { container: 'org/web' }),
  );
  await receiver.receive(sentIssue({ id: 'd1', secret: 'secret-of-api' }));
  const theirs = await receiver.receive(sentIssue({ id: 'd1', secret: 'secret-of-web', repository: 'org/web' }));
  expect(theirs).toEqual({ kind: 'accepted', delivery: 'github:web.1:d1' });
});

test('the same delivery again is known; two hooks on one event are two deliveries of one ticket', async () => {
  const receiver = receiverOf(door('api'));
  const request = sentIssue({ id: 'd1' });
  await receiver.receive(request);
  expect(await receiver.receive(request)).toEqual({
    kind: 'duplicate',
    delivery: 'github:api.1:d1',
    state: 'received',
  });
  expect(await receiver.receive(sentIssue({ id: 'd1', hook: '2' }))).toMatchObject({ kind: 'accepted' });
  expect(await records.depth()).toBe(1);
});

test('one id with another payload is told of, and nothing is done', async () => {
  const receiver = receiverOf(door('api'));
  await receiver.receive(sentIssue({ id: 'd1' }));
  expect(await receiver.receive(sentIssue({ id: 'd1', number: 8 }))).toMatchObject({ kind: 'duplicate' });
  expect(findings.all()).toMatchObject([{ code: 'delivery-mismatch', severity: 'warning' }]);
  expect(await records.depth()).toBe(1);
});

test('a delivery without the id that its platform always gives is refused', async () => {
  const request = sentIssue();
  const { 'x-github-delivery': _, ...headers } = request.headers;
  const reception = await receiverOf(door('api')).receive({ ...request, headers });
  expect(reception).toEqual({ kind: 'unreadable', problem: 'the delivery id is missing' });
  expect(await stored()).toBe(0);
});

test.each([
  ['no JSON', 'no JSON at all'],
  ['a list', '[]'],
  ['nothing', ''],
])('a body that is %s is refused when it is signed, and proves nothing when it is not', async (_, body) => {
  const receiver = receiverOf(door('api'));
  expect(await receiver.receive(sentIssue({ body }))).toMatchObject({ kind: 'unreadable' });
  expect(await receiver.receive(sentIssue({ body, secret: 'another' }))).toEqual({ kind: 'unproven' });
});

test.each([
  ['a ping', { event: 'ping' }, 'ping'],
  ['an event about nothing of ours', { event: 'star' }, 'unsupported-event'],
  ['a label that starts nothing', { label: 'bug', labels: ['bug'] }, 'no-trigger-label'],
  ['our own label', { label: 'agent-smith:enqueued', labels: ['agent-smith', 'agent-smith:enqueued'] }, 'own-label'],
  ['a label that is taken off', { action: 'unlabeled', labels: [] }, 'label-removed'],
  ['a closed ticket', { state: 'closed' as const }, 'closed'],
  ['a ticket that shows a run', { action: 'edited', labels: ['agent-smith', 'agent-smith:done'] }, 'lifecycle-label'],
  ['another repository', { repository: 'org/other' }, 'no-project'],
])('%s is on record as ignored, with the reason', async (_, sent, reason) => {
  const reception = await receiverOf(door('api')).receive(sentIssue({ id: 'd1', ...sent }));
  expect(reception).toEqual({ kind: 'ignored', delivery: 'github:api.1:d1', reason });
  expect(await records.get('github:api.1:d1')).toMatchObject({ state: 'ignored', reason });
  expect(nudges).toBe(0);
});

test.each([
  ['pending', { label: 'agent-smith:pending', labels: ['agent-smith:pending'] }],
  ['pending beside done', { label: 'agent-smith:pending', labels: ['agent-smith:done', 'agent-smith:pending'] }],
  ['a trigger label in other letters', { label: 'Agent-Smith', labels: ['Agent-Smith'] }],
  ['done taken off by a person', { action: 'unlabeled', label: 'agent-smith:done', labels: ['agent-smith'] }],
  [
    'what a lost run has left, taken off by a person',
    { action: 'unlabeled', label: 'agent-smith:in-progress', labels: ['agent-smith'] },
  ],
  ['opened with its label', { action: 'opened' }],
  ['reopened with its label', { action: 'reopened' }],
])('%s is a reason to look', async (_, sent) => {
  expect(await receiverOf(door('api')).receive(sentIssue(sent))).toMatchObject({ kind: 'accepted' });
});

test('a repository that was renamed is known by the id under which it was heard of before', async () => {
  const receiver = receiverOf(door('api'));
  await receiver.receive(sentIssue({ number: 1 }));
  await expect.poll(() => redis.client.hlen('agentsmith:places')).toBe(1);
  const renamed = { repository: 'org/api-with-a-new-name', id: 'd2' };
  expect(await receiver.receive(sentIssue(renamed))).toMatchObject({ kind: 'accepted' });
  expect(await records.get('github:api.1:d2')).toMatchObject({ tickets: ['github~github.com~org%2Fapi~7'] });
  expect(await receiver.receive(sentIssue({ ...renamed, id: 'd3', repositoryId: 43 }))).toMatchObject({
    reason: 'no-project',
  });
});

test('the id of a place is learnt anew when Redis has lost it', async () => {
  const receiver = receiverOf(door('api'));
  await receiver.receive(sentIssue({ number: 1 }));
  const before = rooms.redis.incarnation();
  await redis.client.flushall();
  await expect.poll(() => rooms.redis.incarnation()).not.toBe(before);
  await receiver.receive(sentIssue({ number: 2 }));
  await expect.poll(() => redis.client.hlen('agentsmith:places')).toBe(1);
});

test('a payload that does not say in which of several places it happened reaches all, and teaches the id of none', async () => {
  const receiver = receiverOf(door('one', {}, { scope: 'One' }), door('two', {}, { scope: 'Two' }));
  await receiver.receive(sentIssue({ id: 'd1' }));
  expect(await records.get('github:one.1:d1')).toMatchObject({ projects: ['one', 'two'] });
  // Redis does one thing after the other: what was noted before is there.
  expect(await redis.client.hlen('agentsmith:places')).toBe(0);
});

test('a strange id is hashed, and nothing of it gets into a key', async () => {
  const id = 'x:../ *\n'.repeat(50);
  const reception = await receiverOf(door('api')).receive(sentIssue({ id: id.replaceAll('\n', ''), hook: 'a:b c' }));
  expect(reception).toMatchObject({
    delivery: expect.stringMatching(/^github:api\.[0-9a-f]{64}:[0-9a-f]{64}$/) as string,
  });
  // Whose delivery it is ends at the first colon after the platform.
  expect(await receiverOf(door('api')).receive(sentIssue({ id: 'd1', hook: 'a:b' }))).toMatchObject({
    delivery: 'github:api.a.b:d1',
  });
});

test('no route: a platform or a project that takes no webhooks', async () => {
  const receiver = receiverOf(door('api'));
  expect(await receiver.receive(sentIssue({ project: 'other' }))).toEqual({ kind: 'no-route' });
  expect(await receiver.receive({ ...sentIssue(), platform: 'gitlab' })).toEqual({ kind: 'no-route' });
  expect(receptions).toEqual([1, 2].map(() => ({ platform: 'unknown', result: 'no-route' })));
});

test('what Redis does not take is not accepted; afterwards the same delivery is', async () => {
  const receiver = receiverOf(door('api'));
  const request = sentIssue({ id: 'd1' });
  await redis.server.kill('SIGKILL');
  expect(await receiver.receive(request)).toEqual({ kind: 'not-persisted', why: 'redis_unavailable' });
  await redis.server.restart();
  await expect.poll(() => receiver.receive(request)).toMatchObject({ kind: 'accepted' });
});

test('a Redis that hangs is given up in time', async () => {
  const receiver = receiverOf(door('api'));
  await redis.server.kill('SIGSTOP');
  const startedMs = performance.now();
  expect(await receiver.receive(sentIssue())).toEqual({ kind: 'not-persisted', why: 'redis_unavailable' });
  expect(performance.now() - startedMs).toBeLessThan(3 * DELIVERY_WRITE_MS);
});

test('what a platform tells when it is asked goes the same way, and is known when it arrives after all', async () => {
  const api = door('api');
  const receiver = receiverOf(api);
  const request = sentIssue({ id: 'd1' });
  expect(await receiver.takeIn([api.project], githubWebhook.read(request))).toBe('accepted');
  expect(await receiver.receive(request)).toMatchObject({ kind: 'duplicate' });
  expect(findings.all()).toEqual([]);
  expect(receiver.namesOf(api.project, '1', 'd1')).toEqual(['github:api.1:d1']);
});

test('what was asked with the credential of one project reaches no other one, and none that takes no webhooks', async () => {
  const [one, two, closed] = [door('one'), door('two'), door('closed')];
  const receiver = receiverOf(one, two);
  const message = githubWebhook.read(sentIssue({ id: 'd1' }));
  expect(await receiver.takeIn([closed.project], message)).toBe('ignored');
  expect(await stored()).toBe(0);
  await receiver.takeIn([two.project], message);
  expect(await records.get('github:one.1:d1')).toMatchObject({ projects: ['two'] });
});

test('what concerned nobody is routed again when it comes again under another configuration', async () => {
  const request = sentIssue({ id: 'd1', label: 'security', labels: ['security'] });
  expect(await receiverOf(door('api')).receive(request)).toMatchObject({ reason: 'no-trigger-label' });
  configHash = 'config-2';
  const api = door('api');
  const routing = { pipelineFromLabel: new Map([['security', 'security-scan']]) };
  const receiver = receiverOf({ ...api, project: { ...api.project, routing } });
  expect(await receiver.receive(request)).toMatchObject({ kind: 'accepted' });
});

test('a pull request that closes half the tracker is looked at as far as twenty tickets', async () => {
  const body = JSON.stringify({
    action: 'opened',
    pull_request: { body: Array.from({ length: 30 }, (_, i) => `closes #${i + 1}`).join(', ') },
    repository: { id: 42, full_name: 'org/api', html_url: 'https://github.com/org/api' },
  });
  await receiverOf(door('api')).receive(sentIssue({ id: 'd1', event: 'pull_request', body }));
  expect((await records.get('github:api.1:d1'))?.tickets).toHaveLength(20);
});

test('a project is looked for under the name of the first one that shares its secret, too', () => {
  const web = door('web', {}, { container: 'org/web' });
  expect(receiverOf(door('api'), web).namesOf(web.project, '1', 'd1')).toEqual(['github:api.1:d1', 'github:web.1:d1']);
});

test('nothing of a payload is kept in Redis beyond what is needed', async () => {
  const body = JSON.stringify({
    action: 'labeled',
    issue: {
      number: 7,
      state: 'open',
      title: 'a title nobody may see',
      body: 'a text nobody may see',
      labels: [{ name: 'agent-smith' }],
    },
    label: { name: 'agent-smith' },
    repository: { id: 42, full_name: 'org/api', html_url: 'https://github.com/org/api' },
  });
  await receiverOf(door('api')).receive(sentIssue({ body }));
  // Compressed, a text could not be found.
  await redis.client.config('SET', 'rdbcompression', 'no');
  const dumped: string[] = [];
  for (const key of await redis.client.keys('*')) dumped.push(String(await redis.client.dumpBuffer(key)));
  expect(dumped.length).toBeGreaterThan(3);
  for (const secret of ['nobody may see', SECRET]) expect(dumped.join()).not.toContain(secret);
});

test.each([
  ['a closed ticket', { action: 'closed', state: 'closed' as const }],
  ['a trigger label that is taken off', { action: 'unlabeled', labels: [] }],
])('%s is worth a look where it has a live run, and marked as such; labels of others are not', async (_, sent) => {
  const { keys } = rooms.redis;
  const ticket = 'github~github.com~org%2Fapi~7';
  await redis.client.hset(keys.run('r1'), { id: 'r1', ticket, state: 'running' });
  await redis.client.hset(keys.ticket(ticket), 'run', 'r1');
  const receiver = receiverOf(door('api'));
  expect(await receiver.receive(sentIssue({ id: 'd1', ...sent }))).toMatchObject({ kind: 'accepted' });
  expect(await records.take(1)).toMatchObject([
    { ticket, entries: [{ delivery: 'github:api.1:d1', mayTakeBack: true }] },
  ]);
  const other = sentIssue({ action: 'unlabeled', label: 'bug', labels: ['agent-smith'] });
  expect(await receiver.receive(other)).toMatchObject({ kind: 'ignored', reason: 'label-removed' });
  const own = sentIssue({ action: 'unlabeled', label: 'agent-smith:enqueued', labels: ['agent-smith'] });
  expect(await receiver.receive(own)).not.toMatchObject({ mayTakeBack: true });
  await redis.client.hset(keys.run('r1'), 'state', 'completed');
  expect(await receiver.receive(sentIssue({ id: 'd2', ...sent }))).toMatchObject({ kind: 'ignored' });
});
