import { expect, test } from 'vitest';
import { ask, PROJECT, runningEmulator } from './running-emulator.ts';

const ISSUES = `/projects/${encodeURIComponent(PROJECT)}/issues`;
const TICKET = `${PROJECT}#1`;

const iids = async (response: Response): Promise<number[]> =>
  ((await response.json()) as { iid: number }[]).map(({ iid }) => iid);

test('lists issues that carry all labels, letter by letter, newest first, in every state unless told otherwise', async () => {
  const gitlab = await runningEmulator();
  gitlab.openIssue(PROJECT, { labels: ['bug', 'a'] });
  gitlab.openIssue(PROJECT, { labels: ['Bug'] });
  gitlab.openIssue(PROJECT, { labels: ['bug', 'a'], type: 'incident' });
  gitlab.closeIssue(gitlab.openIssue(PROJECT, { labels: ['bug', 'a'] }).ticket);
  gitlab.openIssue(PROJECT);
  const get = ask(gitlab);
  expect(await iids(await get(`${ISSUES}?labels=bug,a`))).toEqual([4, 3, 1]);
  expect(await iids(await get(`${ISSUES}?labels=a&state=opened&sort=asc`))).toEqual([1, 3]);
  expect(await iids(await get(`${ISSUES}?labels=Bug`))).toEqual([2]);
  expect(await iids(await get(`${ISSUES}?labels=None`))).toEqual([5]);
  expect(await iids(await get(`${ISSUES}?labels=Any&not[labels]=a`))).toEqual([2]);
  expect(await iids(await get(`${ISSUES}?issue_type=incident`))).toEqual([3]);
  expect(await iids(await get(`/projects/${gitlab.projectId(PROJECT)}/issues?state=closed`))).toEqual([4]);
});

test('a parameter that GitLab does not have is ignored, one that is not emulated is refused, a bad value is 400', async () => {
  const gitlab = await runningEmulator();
  gitlab.openIssue(PROJECT);
  const get = ask(gitlab);
  expect(await iids(await get(`${ISSUES}?or[labels][]=x&nonsense=1`))).toEqual([1]);
  expect((await get(`${ISSUES}?assignee_id=1`)).status).toBe(501);
  expect((await get(`${ISSUES}?state=open`)).status).toBe(400);
});

test('pages by number have totals and links, 20 by default and 100 at most', async () => {
  const gitlab = await runningEmulator();
  for (let iid = 1; iid <= 205; iid += 1) gitlab.openIssue(PROJECT);
  const get = ask(gitlab);
  expect(await iids(await get(ISSUES))).toHaveLength(20);
  const page = await get(`${ISSUES}?per_page=500&page=2&sort=asc`);
  expect(await iids(page)).toHaveLength(100);
  expect(Object.fromEntries(page.headers)).toMatchObject({
    'x-total': '205',
    'x-total-pages': '3',
    'x-page': '2',
    'x-next-page': '3',
    'x-prev-page': '1',
  });
  const rels = [...(page.headers.get('link') ?? '').matchAll(/<([^>]+)>; rel="(\w+)"/g)].map(([, url, rel]) => [
    rel,
    new URL(url ?? '').searchParams.get('page'),
  ]);
  expect(Object.fromEntries(rels)).toEqual({ prev: '1', next: '3', first: '1', last: '3' });
  expect((await get(`${ISSUES}?page=2501&per_page=20`)).status).toBe(405);
});

test('a keyset is not shifted by what leaves the listing, and is ignored in an order that has none', async () => {
  const gitlab = await runningEmulator();
  for (let iid = 1; iid <= 5; iid += 1) gitlab.openIssue(PROJECT, { labels: ['x'] });
  const get = ask(gitlab);
  const first = await get(`${ISSUES}?labels=x&pagination=keyset&order_by=created_at&sort=asc&per_page=2`);
  expect(await iids(first)).toEqual([1, 2]);
  expect(first.headers.get('x-total')).toBeNull();
  const next = /<([^>]+)>; rel="next"/.exec(first.headers.get('link') ?? '')?.[1] ?? '';
  expect(next).toContain('cursor=');
  gitlab.removeLabel(TICKET, 'x');
  expect(await iids(await get(next.replace(gitlab.url, '')))).toEqual([3, 4]);
  const offset = await get(`${ISSUES}?pagination=keyset&order_by=priority&per_page=2`);
  expect(offset.headers.get('x-next-page')).toBe('2');
});

test('one request adds and removes labels, bringing project labels into being; a comma separates', async () => {
  const gitlab = await runningEmulator();
  gitlab.openIssue(PROJECT, { labels: ['theirs', 'old'] });
  const body = { add_labels: 'new, Theirs', remove_labels: ['old', 'nothing'] };
  const answer = await ask(gitlab)(`${ISSUES}/1`, { method: 'PUT', body });
  expect(await answer.json()).toMatchObject({ labels: ['Theirs', 'new', 'theirs'] });
  expect(gitlab.projectLabels(PROJECT).map(({ name }) => name)).toContain('new');
  expect(gitlab.ledger.labelChanges(TICKET)).toHaveLength(2);
  expect(gitlab.ledger.labelChanges(TICKET).at(-1)).toMatchObject({
    added: ['new', 'Theirs'],
    removed: ['old'],
    by: { kind: 'token', id: 'writer', login: 'smith' },
  });
});

test('replacing the labels loses what others set', async () => {
  const gitlab = await runningEmulator();
  gitlab.openIssue(PROJECT, { labels: ['theirs'] });
  await ask(gitlab)(`${ISSUES}/1`, { method: 'PUT', body: { labels: 'ours' } });
  expect(gitlab.ledger.labelChanges(TICKET).at(-1)).toMatchObject({ added: ['ours'], removed: ['theirs'] });
});

test('a read-only token, a guest and an author without a role are refused in three ways', async () => {
  const gitlab = await runningEmulator();
  gitlab.openIssue(PROJECT);
  gitlab.openIssue(PROJECT, { by: 'guest' });
  const put = (token: string, iid: number) =>
    ask(gitlab, token)(`${ISSUES}/${iid}`, { method: 'PUT', body: { add_labels: 'x' } });
  const reader = await put('reader-secret', 1);
  expect([reader.status, await reader.json()]).toEqual([403, expect.objectContaining({ error: 'insufficient_scope' })]);
  expect((await put('guest-secret', 1)).status).toBe(403);
  const author = await put('guest-secret', 2);
  expect([author.status, await author.json()]).toEqual([200, expect.objectContaining({ labels: [] })]);
});

test('labels are created once, without a comma, and searched in any letter case', async () => {
  const gitlab = await runningEmulator();
  const path = ISSUES.replace('/issues', '/labels');
  const post = async (name: string, color = '#123456'): Promise<number> =>
    (await ask(gitlab)(path, { method: 'POST', body: { name, color } })).status;
  expect(await Promise.all(['Bug', 'bug', 'Bug', 'a,b'].map((name) => post(name)))).toEqual([201, 201, 409, 400]);
  expect(await post('q', 'red')).toBe(400);
  const found = (await (await ask(gitlab)(`${path}?search=BU`)).json()) as { name: string }[];
  expect(found.map(({ name }) => name)).toEqual(['Bug', 'bug']);
});

test('a moved issue is closed where it was, with its successor, and open in the other project', async () => {
  const gitlab = await runningEmulator();
  gitlab.openIssue(PROJECT, { labels: ['x'], title: 'Away' });
  const moved = gitlab.moveIssue(TICKET, 'group/other');
  expect(moved).toMatchObject({ ticket: 'group/other#1', title: 'Away', labels: ['x'], open: true });
  const here = await ask(gitlab)(`${ISSUES}/1`);
  expect(await here.json()).toMatchObject({ state: 'closed', moved_to_id: expect.any(Number) });
});

test('reads by a former path are redirected to the number, writes are refused, until somebody takes the path', async () => {
  const gitlab = await runningEmulator({ pathPrefix: '/gitlab' });
  gitlab.openIssue(PROJECT);
  gitlab.renameProject(PROJECT, 'group/renamed');
  const moved = await ask(gitlab)(`${ISSUES}?state=opened`);
  expect(moved.status).toBe(301);
  const number = gitlab.projectId('group/renamed');
  expect(moved.headers.get('location')).toBe(`${gitlab.url}/projects/${number}/issues?state=opened`);
  expect((await ask(gitlab)(`${ISSUES}/1`, { method: 'PUT', body: { add_labels: 'x' } })).status).toBe(405);
  gitlab.addProject(PROJECT);
  expect(await iids(await ask(gitlab)(ISSUES))).toEqual([]);
});

test('a wrong, a missing and a revoked token are 401, what a token does not see is 404, and no secret is in the ledger', async () => {
  const gitlab = await runningEmulator();
  gitlab.openIssue(PROJECT);
  expect((await ask(gitlab, 'guess')('/user')).status).toBe(401);
  expect((await fetch(`${gitlab.url}/user`)).status).toBe(401);
  expect((await ask(gitlab, 'narrow-secret')(`${ISSUES}/1`)).status).toBe(404);
  expect((await ask(gitlab)(`${ISSUES}/2`)).status).toBe(404);
  expect((await ask(gitlab)('/teapot')).status).toBe(404);
  gitlab.tokens.remove('writer');
  expect(await (await ask(gitlab)('/user')).json()).toMatchObject({ error: 'invalid_token' });
  expect((await fetch(`${gitlab.url}/user`, { headers: { 'private-token': 'guest-secret' } })).status).toBe(200);
  expect(JSON.stringify(gitlab.ledger.requests())).not.toContain('secret');
});

test('a used-up window refuses everything in plain text until it resets, and other tokens go on', async () => {
  let nowMs = Date.parse('2026-01-01T00:00:00Z');
  const gitlab = await runningEmulator({ rateLimit: { limit: 10 }, nowMs: () => nowMs });
  const resetAtMs = nowMs + 30_000;
  gitlab.rateLimits.set('writer', { remaining: 1, resetAtMs });
  const get = ask(gitlab);
  expect((await get('/user')).headers.get('ratelimit-remaining')).toBe('0');
  const refused = await get('/user');
  expect([refused.status, await refused.text(), refused.headers.get('retry-after')]).toEqual([
    429,
    'Retry later\n',
    '30',
  ]);
  expect(refused.headers.get('ratelimit-reset')).toBe(String(resetAtMs / 1000));
  expect((await ask(gitlab, 'guest-secret')('/user')).status).toBe(200);
  nowMs = resetAtMs;
  expect((await get('/user')).headers.get('ratelimit-remaining')).toBe('9');
});

test('an own server tells of its window only when it refuses; another limiter tells nothing at all', async () => {
  const gitlab = await runningEmulator({ rateLimit: { announced: false } });
  const quiet = await ask(gitlab)('/user');
  expect(quiet.headers.get('ratelimit-remaining')).toBeNull();
  gitlab.imposePlainLimit({ token: 'writer', times: 1 });
  const refused = await ask(gitlab)('/user');
  expect([refused.status, refused.headers.get('retry-after'), refused.headers.get('ratelimit-reset')]).toEqual([
    429,
    null,
    null,
  ]);
  expect((await ask(gitlab)('/user')).status).toBe(200);
});
