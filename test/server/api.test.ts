/** `/api` over HTTP, on real Redis and, where a ticket is read, an emulated GitHub (rows D3, D8, D10, D11). */
import { describe, expect, test } from 'vitest';
import type { Run } from '../../src/domain/run.ts';
import { OperationError } from '../../src/foundation/errors.ts';
import { startApp } from '../support/app.ts';
import { REPOSITORY, startHub, TOKEN } from '../support/house.ts';
import { useRedis } from '../support/redis.ts';
import {
  API_TOKEN,
  type Ask,
  ask as askOf,
  delivery,
  openApi,
  openSite,
  posted,
  type Request,
  type Site,
  TICKET_TEXT,
  writeConfig,
} from './api-desk.ts';

const redis = useRedis();
const ISO = /^\d{4}-\d\d-\d\dT[\d:.]+Z$/;
const UNKNOWN_RUN = '01ARZ3NDEKTSV4RRFFQ69G5FAV';

const ROUTES: readonly (readonly [string, Request?])[] = [
  ['/api/deliveries'],
  ['/api/deliveries/github:api:d1'],
  ['/api/deliveries/github:api:d1/replay', { method: 'POST' }],
  ['/api/runs'],
  [`/api/runs/${UNKNOWN_RUN}`],
  [`/api/runs/${UNKNOWN_RUN}/cancel`, { method: 'POST' }],
  [`/api/runs/${UNKNOWN_RUN}/retry`, { method: 'POST' }],
  ['/api/claims', posted({ project: 'api', ticket: '1' })],
  ['/api/explain?project=api&ticket=1'],
  ['/api/no-such-route'],
  [`/api/deliveries/${'x'.repeat(5_000)}`],
  ['/api/claims', { method: 'DELETE' }],
];

const items = (json: Readonly<Record<string, unknown>>, name: string) =>
  json[name] as readonly Readonly<Record<string, unknown>>[];

/** Opens a ticket and claims it through the API. */
async function claimed({ hub, stores, ask }: Pick<Site, 'hub' | 'stores' | 'ask'>): Promise<Run> {
  const ticket = hub.openIssue(REPOSITORY, { labels: ['agent-smith'], title: TICKET_TEXT, body: TICKET_TEXT });
  const { json } = await ask('/api/claims', posted({ project: 'api', ticket: ticket.number }));
  const run = await stores.runs.get(String(json['run']));
  if (run === undefined) throw new Error(`not claimed: ${JSON.stringify(json)}`);
  return run;
}

async function started(site: Site, run: Run, worker = 'pod-1'): Promise<Run> {
  const reply = await site.stores.attemptRecords.start(run, worker);
  if (reply.kind !== 'started') throw new Error(reply.kind);
  return reply.run;
}

const attemptOf = ({ id, ticket, attempt, attemptFence: fence }: Run) => ({ run: id, ticket, attempt, fence });

describe('who may ask', () => {
  test('without a token in the configuration there is no API: 404 whatever is sent, as for any unknown path', async () => {
    const ask = await openApi({ token: () => undefined });
    for (const [route, init] of ROUTES) {
      const answer = await ask(route, init);
      expect([route, answer.status, answer.json]).toEqual([route, 404, { error: 'not found' }]);
    }
    expect((await ask('/elsewhere')).json).toEqual({ error: 'not found' });
    expect((await ask('/api/runs', { headers: { authorization: 'Bearer undefined' } })).status).toBe(404);
    expect((await ask('/api/runs', { headers: { authorization: '' } })).status).toBe(404);
  });

  const WRONG = [
    '',
    'Bearer',
    'Bearer ',
    API_TOKEN,
    `Basic ${API_TOKEN}`,
    `Bearer ${API_TOKEN}x`,
    `Bearer ${API_TOKEN.slice(0, -1)}`,
    `Bearer ${API_TOKEN.toUpperCase()}`,
    `Bearer Bearer ${API_TOKEN}`,
  ];
  test('a wrong or missing token is refused on every route, and is not told which routes there are', async () => {
    const ask = await openApi({});
    for (const authorization of WRONG) {
      const answer = await ask('/api/runs', { headers: { authorization } });
      expect([authorization, answer.status]).toEqual([authorization, 401]);
      expect(answer.headers.get('www-authenticate')).toBe('Bearer');
    }
    for (const [route, init] of ROUTES) {
      const answer = await ask(route, { ...init, headers: { ...init?.headers, authorization: 'Bearer guess' } });
      expect([route, answer.status, answer.json]).toEqual([route, 401, { error: 'unauthorized' }]);
    }
  });

  test('the token is asked for at each request: a reload changes it at once', async () => {
    let token: string | undefined = 'first';
    const { ask: known } = await openSite(redis.url);
    expect((await known('/api/runs')).status).toBe(200);
    const ask = await openApi({ token: () => token });
    const status = async (given: string) =>
      (await ask('/api/no-such-route', { headers: { authorization: `bearer ${given}` } })).status;
    expect([await status('first'), await status('second')]).toEqual([404, 401]);
    token = 'second';
    expect([await status('first'), await status('second')]).toEqual([401, 404]);
  });
});

describe('deliveries', () => {
  test('a delivery with all that is on record of it, and the runs that came of it', async () => {
    const site = await openSite(redis.url);
    const run = await claimed(site);
    const { deliveries } = site.stores;
    const { name } = delivery('d1');
    await deliveries.accept(delivery('d1', { tickets: [{ key: run.ticket, id: '1' }] }));
    await deliveries.accept(delivery('d1', { tickets: [{ key: run.ticket, id: '1' }] }));
    const [taken] = await deliveries.take(10);
    if (taken === undefined) throw new Error('nothing is due');
    expect((await site.ask(`/api/deliveries/${name}`)).json).toMatchObject({ state: 'queued', tries: 1, runs: [] });
    await deliveries.settle(taken, { kind: 'processed', outcome: 'claimed', run: run.id });

    const { status, json } = await site.ask(`/api/deliveries/${name}`);
    expect(status).toBe(200);
    expect(json).toEqual({
      name,
      id: 'd1',
      derived: false,
      platform: 'github',
      source: 'api',
      event: 'issues',
      action: 'labeled',
      installation: '77',
      repository: { id: '1296269', name: REPOSITORY },
      received_utc: expect.stringMatching(ISO),
      payload_hash: 'ab'.repeat(32),
      routing: { projects: ['api'], tickets: [run.ticket], config_hash: 'c0ffee' },
      state: 'processed',
      tries: 1,
      duplicates: 1,
      results: [{ ticket: run.ticket, outcome: 'claimed', run: run.id }],
      settled_utc: expect.stringMatching(ISO),
      runs: [expect.objectContaining({ id: run.id, state: 'queued', pipeline: 'fix-bug', ticket: run.ticket })],
    });
  });

  test('the newest first, by state and platform, page by page, each once though all came in one moment', async () => {
    const { ask, stores } = await openSite(redis.url);
    const wanted = Array.from({ length: 11 }, (_, i) => `d${String(i).padStart(2, '0')}`);
    await Promise.all(wanted.map((id) => stores.deliveries.accept(delivery(id))));
    const ignored = { reason: 'unsupported-event', dependsOnConfiguration: false };
    await stores.deliveries.accept(delivery('push', { event: 'push', tickets: [], ignored }));
    await stores.deliveries.accept(delivery('other', { name: 'gitlab:api:other', platform: 'gitlab' }));

    const seen: unknown[] = [];
    let next: string | undefined;
    do {
      const before = next === undefined ? '' : `&before=${encodeURIComponent(next)}`;
      const { json } = await ask(`/api/deliveries?limit=4&state=received&platform=github${before}`);
      const page = items(json, 'deliveries').map(({ id }) => id);
      expect(page.length).toBeLessThanOrEqual(4);
      seen.push(...page);
      next = json['next'] as string | undefined;
    } while (next !== undefined);
    expect(seen).toHaveLength(wanted.length);
    expect(new Set(seen)).toEqual(new Set(wanted));

    const all = items((await ask('/api/deliveries')).json, 'deliveries');
    expect(all).toHaveLength(13);
    const times = all.map(({ received_utc }) => String(received_utc));
    expect(times).toEqual(times.toSorted().toReversed());
    expect(items((await ask('/api/deliveries?state=ignored')).json, 'deliveries')).toMatchObject([
      { id: 'push', reason: 'unsupported-event' },
    ]);
    expect(items((await ask('/api/deliveries?platform=gitlab')).json, 'deliveries')).toMatchObject([{ id: 'other' }]);
  });

  test('a name as long as names may be is found', async () => {
    const { ask, stores } = await openSite(redis.url);
    const long = delivery('x'.repeat(200), { name: `github:${'s'.repeat(200)}:${'x'.repeat(200)}` });
    await stores.deliveries.accept(long);
    expect((await ask(`/api/deliveries/${long.name}`)).json).toMatchObject({ name: long.name });
  });

  test('replay: its tickets are due once more; unknown is 404, one that concerns no ticket 409', async () => {
    const { ask, stores } = await openSite(redis.url);
    const { deliveries } = stores;
    const { name } = delivery('d1');
    await deliveries.accept(delivery('d1'));
    const [taken] = await deliveries.take(10);
    if (taken === undefined) throw new Error('nothing is due');
    await deliveries.settle(taken, { kind: 'failed', outcome: 'failed: unavailable' });
    expect((await ask(`/api/deliveries/${name}`)).json).toMatchObject({ state: 'failed' });

    const replayed = await ask(`/api/deliveries/${name}/replay`, { method: 'POST' });
    expect([replayed.status, replayed.json]).toEqual([202, { state: 'received' }]);
    expect((await ask(`/api/deliveries/${name}`)).json).toMatchObject({ state: 'received' });
    expect(await deliveries.take(10)).toMatchObject([{ ticketId: '1', entries: [{ delivery: name }] }]);

    const ping = delivery('ping', { tickets: [], ignored: { reason: 'ping', dependsOnConfiguration: false } });
    await deliveries.accept(ping);
    expect(await ask(`/api/deliveries/${ping.name}/replay`, { method: 'POST' })).toMatchObject({ status: 409 });
    expect(await ask('/api/deliveries/github:api:gone/replay', { method: 'POST' })).toMatchObject({ status: 404 });
    expect(await ask('/api/deliveries/github:api:gone')).toMatchObject({ status: 404, json: { error: 'not found' } });
  });
});

describe('runs', () => {
  test('a run with its policy, its attempts, its decisions and its label; its output only when asked for', async () => {
    const site = await openSite(redis.url);
    const { ask, stores } = site;
    const queued = await claimed(site);
    const first = await started(site, queued, 'pod-1');
    await stores.attemptRecords.handBack(attemptOf(first), { onlyIfDead: false, interrupted: true, reason: 'drained' });
    const [between] = (await stores.runs.list({ most: 1, state: 'queued' })).items;
    const second = await started(site, between ?? queued, 'pod-2');
    // What a platform or a pipeline quoted, written by somebody who did not know yet that it is secret.
    const fields = { labelReason: `403 for ${TOKEN}` };
    await redis.client.hset(stores.redis.keys.run(queued.id), fields);
    await stores.attemptRecords.finish(attemptOf(second), {
      state: 'failed',
      reason: 'exit code 1',
      output: `cloning with ${TOKEN}`,
      result: { summary: `It needs ${TOKEN}.`, links: [{ title: 'Log', url: 'https://ci.corp/7' }] },
      onlyIfDead: false,
    });
    const decide = (run: string, outcome: string) =>
      stores.decisions.record({ ticket: queued.ticket, project: 'api', by: 'attempt', outcome, run });
    await decide(queued.id, 'failed: exit code 1');
    await decide('another', 'completed: exit code 0');

    const { status, json } = await ask(`/api/runs/${queued.id}`);
    expect(status).toBe(200);
    expect(json).toMatchObject({
      id: queued.id,
      project: 'api',
      platform: 'github',
      ticket: queued.ticket,
      ticket_id: '1',
      display: `${REPOSITORY}#1`,
      trigger: 'manual',
      label: 'agent-smith',
      pipeline: 'fix-bug',
      state: 'failed',
      reason: 'exit code 1',
      turn: 2,
      attempt: 2,
      interrupted: 1,
      policy: { command: ['true'], env: { MODE: 'careful', KEY: '${API_KEY}' } },
      lifecycle_label: { asked: 'failed', state: 'unconfirmed', reason: '403 for [redacted]', doubts: 0 },
      attempts: [
        { number: 1, worker: 'pod-1', started_utc: expect.stringMatching(ISO), how: 'interrupted', reason: 'drained' },
        { number: 2, worker: 'pod-2', ended_utc: expect.stringMatching(ISO), how: 'failed', reason: 'exit code 1' },
      ],
      deliveries: [],
      result: { summary: 'It needs [redacted].', links: [{ title: 'Log', url: 'https://ci.corp/7' }] },
    });
    expect(JSON.stringify((await ask('/api/runs')).json)).not.toContain('ci.corp');
    expect(items(json, 'decisions').map(({ outcome }) => outcome)).toEqual(['failed: exit code 1', 'claimed']);
    expect(json).not.toHaveProperty('output');
    expect((await ask(`/api/runs/${queued.id}?output=0`)).json).toEqual(json);
    expect((await ask(`/api/runs/${queued.id}?output=1`)).json).toEqual({
      ...json,
      output: 'cloning with [redacted]',
    });
    expect(await ask(`/api/runs/${UNKNOWN_RUN}`)).toMatchObject({ status: 404, json: { error: 'not found' } });
  });

  test('a run names the delivery that asked for it, and the attempt at work has no end', async () => {
    const site = await openSite(redis.url);
    const run = await started(site, await claimed(site));
    await site.stores.deliveries.accept(delivery('d1'));
    await redis.client.hset(site.stores.redis.keys.run(run.id), 'delivery', delivery('d1').name);
    const { json } = await site.ask(`/api/runs/${run.id}`);
    expect(json).toMatchObject({ delivery: 'github:api:d1', deliveries: [{ id: 'd1', event: 'issues' }] });
    expect(json['attempts']).toEqual([{ number: 1, worker: 'pod-1', started_utc: expect.stringMatching(ISO) }]);
  });

  test('a run that waits in the backlog of its project says for what, and since when another was admitted', async () => {
    const site = await openSite(redis.url);
    const run = await claimed(site);
    expect((await site.ask(`/api/runs/${run.id}`)).json).toMatchObject({ admitted_utc: expect.stringMatching(ISO) });
    const { keys } = site.stores.redis;
    await redis.client.hset(keys.run(run.id), 'admittedAtMs', 0);
    await redis.client.zadd(keys.backlog('api'), 1, run.id);
    const { json } = await site.ask(`/api/runs/${run.id}`);
    expect(json).toMatchObject({ waits: { for: 'slots', position: 1, waiting: 1 } });
    expect(json).not.toHaveProperty('admitted_utc');
  });

  test('lists by state and project, page by page', async () => {
    const site = await openSite(redis.url);
    const runs = [await claimed(site), await claimed(site), await claimed(site)];
    const [oldest] = runs;
    // Within one millisecond the ids would decide which is the newer one.
    const claimedAtMs = await site.stores.redis.timeMs();
    await expect.poll(() => site.stores.redis.timeMs()).toBeGreaterThan(claimedAtMs);
    await started(site, oldest as Run);
    const ids = async (query: string) => items((await site.ask(`/api/runs?${query}`)).json, 'runs').map(({ id }) => id);
    expect(await ids('')).toEqual([runs[0]?.id, runs[2]?.id, runs[1]?.id]);
    expect(await ids('state=queued')).toEqual([runs[2]?.id, runs[1]?.id]);
    expect(await ids('state=running&project=api')).toEqual([runs[0]?.id]);
    expect(await ids('project=other')).toEqual([]);
    const { json } = await site.ask('/api/runs?limit=2');
    expect(await ids(`limit=2&before=${String(json['next'])}`)).toEqual([runs[1]?.id]);
  });
});

describe('the end of a run, and a further one', () => {
  test('queued: cancelled at once, with who asked; ended: 409; unknown: 404; a wrong name: 400', async () => {
    const site = await openSite(redis.url);
    const run = await claimed(site);
    const cancel = (id: string, body: object = {}) => site.ask(`/api/runs/${id}/cancel`, posted(body));
    for (const by of ['', '**bold**', 'a'.repeat(101), ' alice', '<!-- x -->', '@mia', 'me @mia', 'me.@mia', 'mia@'])
      expect([by, await cancel(run.id, { by })]).toMatchObject([by, { status: 400 }]);
    expect(await cancel(UNKNOWN_RUN)).toMatchObject({ status: 404 });
    expect(await cancel(run.id, { by: 'Zoë B. zoe@corp.example' })).toMatchObject({
      status: 200,
      json: { state: 'cancelled', cancel_requested: 'Zoë B. zoe@corp.example' },
    });
    expect((await site.ask(`/api/runs/${run.id}`)).json).toMatchObject({
      state: 'cancelled',
      reason: 'cancelled by Zoë B. zoe@corp.example',
      cancel_requested: 'Zoë B. zoe@corp.example',
      decisions: expect.arrayContaining([expect.objectContaining({ by: 'cancel' })]),
    });
    expect(await cancel(run.id)).toMatchObject({ status: 409, json: { detail: 'the run has ended: cancelled' } });
  });

  test('running: the wish is on record before the answer; a request without a body has a name too', async () => {
    const site = await openSite(redis.url);
    const run = await started(site, await claimed(site));
    const answer = await site.ask(`/api/runs/${run.id}/cancel`, { method: 'POST' });
    expect([answer.status, answer.json]).toEqual([202, { state: 'running', cancel_requested: 'a request to the API' }]);
    expect(await site.stores.runs.get(run.id)).toMatchObject({ cancelRequested: 'a request to the API' });
    const empty = await site.ask(`/api/runs/${run.id}/cancel`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '',
    });
    expect(empty.status).toBe(202);
    expect((await site.ask('/api/explain?project=api&ticket=1')).json).toMatchObject({
      next: 'it ends: cancelled by a request to the API',
    });
  });

  test('retry: a new run of the same ticket whatever its label shows, but not beside one that has not ended', async () => {
    const site = await openSite(redis.url);
    const run = await started(site, await claimed(site));
    const retry = (id: string) => site.ask(`/api/runs/${id}/retry`, { method: 'POST' });
    expect(await retry(run.id)).toMatchObject({ status: 409, json: { detail: 'the run has not ended: running' } });
    const end = { state: 'failed', reason: 'exit code 1', output: '', onlyIfDead: false } as const;
    await site.stores.attemptRecords.finish(attemptOf(run), end);
    const ended = await site.stores.runs.get(run.id);
    if (ended !== undefined) await site.stores.labelRecords.settle(ended, { kind: 'confirmed' });
    site.hub.addLabel(`${REPOSITORY}#1`, 'agent-smith:failed', 'mia');
    site.hub.removeLabel(`${REPOSITORY}#1`, 'agent-smith:enqueued', 'mia');
    const again = await retry(run.id);
    expect(again).toMatchObject({ status: 200, json: { kind: 'claimed' } });
    expect(again.json['run']).not.toBe(run.id);
    expect(await site.stores.runs.get(String(again.json['run']))).toMatchObject({
      trigger: 'manual',
      ticket: run.ticket,
    });
    expect(await retry(run.id)).toMatchObject({ status: 409, json: { detail: 'the ticket has a newer run' } });
    expect(await retry(UNKNOWN_RUN)).toMatchObject({ status: 404 });
  });

  test('retry: not where the project of that name watches another source by now, whose ticket of that number is another', async () => {
    const site = await openSite(redis.url);
    const run = await claimed(site);
    await site.ask(`/api/runs/${run.id}/cancel`, { method: 'POST' });
    const ticket = run.ticket.replace('org%2Fapi', 'org%2Fold');
    const { keys } = site.stores.redis;
    const moved = { ...run, id: run.id.replace(/.$/, (last) => (last === 'Z' ? 'Y' : 'Z')), ticket, state: 'failed' };
    await redis.client.hset(keys.run(moved.id), flatFields(moved));
    await redis.client.hset(keys.ticket(ticket), 'run', moved.id);
    expect(await site.ask(`/api/runs/${moved.id}/retry`, { method: 'POST' })).toMatchObject({
      status: 409,
      json: { detail: 'project api is gone or watches another source by now' },
    });
  });
});

function flatFields(fields: object): Record<string, string> {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, String(value)]));
}

describe('claims and explanations', () => {
  test('a ticket is claimed once, by whatever name people know it, and later answers say why not', async () => {
    const { ask, hub, stores } = await openSite(redis.url);
    hub.openIssue(REPOSITORY, { labels: ['agent-smith'], title: TICKET_TEXT });
    const first = await ask('/api/claims', posted({ project: 'api', ticket: `${hub.pageUrl(REPOSITORY)}/issues/1` }));
    const run = String(first.json['run']);
    expect([first.status, first.json]).toEqual([200, { kind: 'claimed', run, project: 'api', pipeline: 'fix-bug' }]);
    expect(await stores.runs.get(run)).toMatchObject({ state: 'queued', trigger: 'manual' });
    expect(hub.issue(`${REPOSITORY}#1`).labels).toContain('agent-smith:enqueued');

    for (const ticket of ['1', 1, '#1', `${REPOSITORY}#1`]) {
      const { status, json } = await ask('/api/claims', posted({ project: 'api', ticket }));
      expect([ticket, status, json]).toEqual([
        ticket,
        200,
        { kind: 'already-claimed', run, state: 'queued', advice: expect.stringContaining('free slot') },
      ]);
    }
    hub.openIssue(REPOSITORY, { labels: [], title: TICKET_TEXT });
    expect((await ask('/api/claims', posted({ project: 'api', ticket: 2 }))).json).toEqual({
      kind: 'not-eligible',
      reason: 'no-trigger-label',
      advice: expect.stringContaining('adds a label'),
    });
    expect((await ask('/api/claims', posted({ project: 'api', ticket: 404 }))).json).toMatchObject({
      kind: 'not-eligible',
      reason: 'gone',
    });
  });

  test('a platform that is away is an outcome, not an error of the API', async () => {
    const { ask, hub } = await openSite(redis.url);
    hub.openIssue(REPOSITORY, { labels: ['agent-smith'] });
    await hub.close();
    const { status, json } = await ask('/api/claims', posted({ project: 'api', ticket: 1 }));
    expect(status).toBe(200);
    expect(json).toMatchObject({ kind: 'failed', reason: 'unavailable', detail: expect.any(String) });
    expect(json['advice']).toContain('until the platform answers');
  });

  test('what is no project is 404, what is no ticket of it 400', async () => {
    const { ask } = await openSite(redis.url);
    for (const route of ['/api/explain?project=nobody&ticket=1', '/api/explain?project=__proto__&ticket=1']) {
      expect(await ask(route)).toMatchObject({
        status: 404,
        json: { detail: expect.stringContaining('no such project') },
      });
    }
    expect((await ask('/api/claims', posted({ project: 'nobody', ticket: 1 }))).status).toBe(404);
    for (const ticket of ['-1', 'https://elsewhere.example/issues/1', '../1', 'a b']) {
      const { status, json } = await ask('/api/claims', posted({ project: 'api', ticket }));
      expect([ticket, status, json]).toMatchObject([ticket, 400, { problems: [{ field: 'ticket' }] }]);
    }
  });

  test('an explanation is the one of the command line, and changes nothing', async () => {
    const { ask, hub, stores } = await openSite(redis.url);
    hub.openIssue(REPOSITORY, { labels: ['agent-smith'], title: TICKET_TEXT, body: TICKET_TEXT });
    const { status, json } = await ask('/api/explain?project=api&ticket=%231');
    expect(status).toBe(200);
    expect(json).toMatchObject({
      project: 'api',
      ticketId: '1',
      trigger: 'poll',
      outcome: { kind: 'would-claim', project: 'api', pipeline: 'fix-bug' },
      unseen: [],
    });
    expect(items(json, 'gates').length).toBeGreaterThan(10);
    expect((await ask('/api/explain?project=api&ticket=1&trigger=manual')).json).toMatchObject({ trigger: 'manual' });
    expect(await stores.runs.counts()).toMatchObject({ received: 0, queued: 0 });
    expect(hub.issue(`${REPOSITORY}#1`).labels).toEqual(['agent-smith']);
  });
});

describe('what is asked wrongly', () => {
  const QUERIES: readonly [string, string][] = [
    ['/api/deliveries?limit=0', 'limit'],
    ['/api/deliveries?limit=201', 'limit'],
    ['/api/deliveries?limit=many', 'limit'],
    ['/api/deliveries?limit=1.5', 'limit'],
    ['/api/deliveries?limit=1&limit=2', 'limit'],
    ['/api/deliveries?before=yesterday', 'before'],
    ['/api/deliveries?before=1~%0d%0a', 'before'],
    ['/api/deliveries?state=running', 'state'],
    ['/api/deliveries?platform=', 'platform'],
    ['/api/deliveries?colour=red', 'colour'],
    ['/api/runs?state=processed', 'state'],
    ['/api/runs?project=', 'project'],
    [`/api/runs/${UNKNOWN_RUN}?output=yes`, 'output'],
    ['/api/explain?project=api', 'ticket'],
    ['/api/explain?project=api&ticket=1&trigger=whim', 'trigger'],
  ];
  test('a bad query is 400 and names the field', async () => {
    const { ask } = await openSite(redis.url);
    for (const [route, field] of QUERIES) {
      const { status, json } = await ask(route);
      expect([route, status, json]).toMatchObject([route, 400, { error: 'bad request', problems: [{ field }] }]);
    }
  });

  const BODIES: readonly [unknown, string][] = [
    [{ ticket: '1' }, 'project'],
    [{ project: 'api' }, 'ticket'],
    [{ project: 'api', ticket: '' }, 'ticket'],
    [{ project: 'api', ticket: -1 }, 'ticket'],
    [{ project: 'api', ticket: { $ne: 1 } }, 'ticket'],
    [{ project: ['api'], ticket: '1' }, 'project'],
    [{ project: 'api', ticket: '1', trigger: 'poll' }, 'trigger'],
    [[], 'body'],
    [null, 'body'],
    ['text', 'body'],
  ];
  test('a bad body is 400 and names the field; what is no JSON is no body', async () => {
    const { ask } = await openSite(redis.url);
    for (const [body, field] of BODIES) {
      const { status, json } = await ask('/api/claims', posted(body));
      expect([body, status, json]).toMatchObject([body, 400, { problems: [{ field }] }]);
    }
    const json = { 'content-type': 'application/json' };
    const raw: readonly Request[] = [
      { headers: json, body: '{"project":' },
      { headers: json, body: '' },
      { headers: json, body: '{"__proto__": {"project": "api"}, "ticket": 1}' },
      { headers: { 'content-type': 'text/xml' }, body: '<claim/>' },
      {},
    ];
    const form = { 'content-type': 'application/x-www-form-urlencoded' };
    const { json: unknownType } = await ask('/api/claims', { method: 'POST', headers: form, body: 'project=api' });
    expect(unknownType).toMatchObject({
      problems: [{ problem: expect.stringContaining('content-type: application/json') }],
    });
    for (const init of raw) {
      const { status, json: said } = await ask('/api/claims', { method: 'POST', ...init });
      expect([init, status, said]).toMatchObject([init, 400, { error: 'bad request', problems: [{ field: 'body' }] }]);
    }
  });

  const NAMES = [
    '*',
    'github:api:*',
    '..%2f..%2fhealth',
    '%2e%2e',
    'a%00b',
    'a%0d%0aDEL%20agentsmith:deliveries',
    '__proto__',
    'constructor',
    '%F0%9F%98%80',
    '$(reboot)',
    '%7B%22$gt%22%3A%22%22%7D',
    'x'.repeat(500),
    'x'.repeat(5_000),
    `${UNKNOWN_RUN}:attempt`,
    UNKNOWN_RUN.toLowerCase(),
  ];
  test('whatever is tried as a name is not there: nothing breaks, and nothing is written', async () => {
    const { ask, stores } = await openSite(redis.url);
    await stores.deliveries.accept(delivery('d1'));
    const before = await redis.client.dbsize();
    for (const name of NAMES) {
      for (const route of [`/api/deliveries/${name}`, `/api/runs/${name}`]) {
        expect([route, (await ask(route)).status]).toEqual([route, 404]);
      }
      const replay = await ask(`/api/deliveries/${name}/replay`, { method: 'POST' });
      expect([name, replay.status]).toEqual([name, 404]);
    }
    expect(await redis.client.dbsize()).toBe(before);
  });
});

describe('Redis away', () => {
  const REDIS_ROUTES = ROUTES.slice(0, 6);
  async function expectAway(ask: Ask): Promise<void> {
    for (const [route, init] of REDIS_ROUTES) {
      const { status, headers, json } = await ask(route, init);
      expect([route, status, json]).toEqual([route, 503, { error: 'redis_unavailable' }]);
      expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
    }
  }

  test('503 with Retry-After on every route that needs it, and by itself again when it is back', async () => {
    const { ask, hub, stores } = await openSite(redis.url);
    hub.openIssue(REPOSITORY, { labels: ['agent-smith'] });
    await redis.server.kill('SIGKILL');
    const down = new Promise<void>((resolve) => {
      if (stores.redis.status().state === 'down') resolve();
      stores.redis.onChange(({ state }) => state === 'down' && resolve());
    });
    await down;
    await expectAway(ask);
    // A question about a ticket is answered as far as it can be.
    expect((await ask('/api/explain?project=api&ticket=1')).json).toMatchObject({
      outcome: { kind: 'failed', failure: 'redis-unavailable' },
    });
    await redis.server.restart();
    await stores.redis.whenUp(AbortSignal.timeout(10_000));
    expect((await ask('/api/runs')).status).toBe(200);
  });

  test('503 also where no Redis is configured', async () => {
    await expectAway(await openApi({}));
  });

  test('what nobody expected is 500 without a word about it', async () => {
    const { desk } = await openSite(redis.url);
    const failing = (error: Error) =>
      openApi({
        desk: () => ({
          ...desk,
          runs: {
            ...desk.runs,
            list: async () => {
              throw error;
            },
          },
        }),
      });
    const broken = await (await failing(new TypeError(`x of ${TOKEN}`)))('/api/runs');
    expect([broken.status, broken.json]).toEqual([500, { error: 'internal error' }]);
    const away = await (await failing(new OperationError('list runs', new Error('OOM'))))('/api/runs');
    expect(away.status).toBe(503);
  });
});

test('a replica serves it with the token of its configuration, and a reload that takes the token away closes it', async () => {
  const hub = await startHub();
  const env = { REDIS_URL: undefined };
  const { app, port } = await startApp(await writeConfig(hub, env));
  const status = async () => (await askOf(`http://127.0.0.1:${port}/api/runs`)).status;
  expect(await status()).toBe(503);
  app.reload(await writeConfig(hub, { ...env, AGENTSMITH_API_TOKEN: 'another-token' }));
  expect(await status()).toBe(401);
  app.reload(await writeConfig(hub, { ...env, AGENTSMITH_API_TOKEN: undefined }));
  expect(await status()).toBe(404);
});
