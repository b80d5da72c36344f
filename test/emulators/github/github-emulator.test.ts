import { expect, test } from 'vitest';
import { ask, octokit, runningEmulator } from './running-emulator.ts';

const ISSUES = '/repos/org/api/issues';

const numbers = async (response: Response): Promise<number[]> =>
  ((await response.json()) as { number: number }[]).map((issue) => issue.number);

const json = (value: unknown): string => JSON.stringify(value);

test('lists open issues and pull requests, newest first, that carry all labels in any letter case', async () => {
  const github = await runningEmulator();
  github.openIssue('org/api', { labels: ['Bug', 'a'] });
  github.openIssue('org/api', { labels: ['bug'] });
  github.openIssue('org/api', { labels: ['bug', 'A'], isPullRequest: true });
  github.closeIssue(github.openIssue('org/api', { labels: ['bug', 'a'] }).ticket);
  const get = ask(github);
  expect(await numbers(await get(`${ISSUES}?labels=BUG,a`))).toEqual([3, 1]);
  expect(await numbers(await get(`${ISSUES}?labels=bug&state=all&direction=asc`))).toEqual([1, 2, 3, 4]);
  expect(await numbers(await get(`${ISSUES}?state=closed`))).toEqual([4]);
  const [pullRequest, issue] = (await (await get(`${ISSUES}?labels=a`)).json()) as Record<string, unknown>[];
  expect(pullRequest).toHaveProperty('pull_request');
  expect(issue).not.toHaveProperty('pull_request');
});

test('sorts by the last change', async () => {
  let nowMs = Date.parse('2026-01-01T00:00:00Z');
  const github = await runningEmulator({ nowMs: () => (nowMs += 1000) });
  const first = github.openIssue('org/api');
  github.openIssue('org/api');
  github.addLabel(first.ticket, 'touched');
  expect(await numbers(await ask(github)(`${ISSUES}?sort=updated&direction=asc`))).toEqual([2, 1]);
});

test('`since` leaves out what changed earlier, in listings and in comments', async () => {
  let nowMs = Date.parse('2026-01-01T00:00:00Z');
  const github = await runningEmulator({ nowMs: () => nowMs });
  github.openIssue('org/api');
  github.comment('org/api#1', 'early');
  nowMs += 60_000;
  github.openIssue('org/api');
  const since = new Date(nowMs).toISOString();
  expect(await numbers(await ask(github)(`${ISSUES}?since=${since}`))).toEqual([2]);
  github.comment('org/api#1', 'late');
  expect(await numbers(await ask(github)(`${ISSUES}?since=${since}`))).toEqual([2, 1]);
  const comments = await ask(github)(`${ISSUES}/1/comments?since=${since}`);
  expect(await comments.json()).toMatchObject([{ body: 'late' }]);
});

test('texts have their limits: 50 characters of a label, 65536 of a comment', async () => {
  const github = await runningEmulator();
  github.openIssue('org/api');
  const post = async (path: string, body: unknown): Promise<number> =>
    (await ask(github)(path, { method: 'POST', body: json(body) })).status;
  expect(await post(`${ISSUES}/1/labels`, { labels: ['x'.repeat(50)] })).toBe(200);
  expect(await post(`${ISSUES}/1/labels`, { labels: ['x'.repeat(51)] })).toBe(422);
  expect(await post(`${ISSUES}/1/comments`, { body: 'x'.repeat(65_536) })).toBe(201);
  expect(await post(`${ISSUES}/1/comments`, { body: 'x'.repeat(65_537) })).toBe(422);
});

test('refuses a filter that it does not know instead of answering too much', async () => {
  const github = await runningEmulator();
  expect((await ask(github)(`${ISSUES}?creator=octocat`)).status).toBe(501);
});

test('pages have links by repository number, and at most 100 issues', async () => {
  const github = await runningEmulator();
  for (let number = 1; number <= 205; number += 1) github.openIssue('org/api');
  const get = ask(github);
  const page = await get(`${ISSUES}?per_page=500&page=2`);
  expect(await numbers(page)).toHaveLength(100);
  const rels = [...(page.headers.get('link') ?? '').matchAll(/<([^>]+)>; rel="(\w+)"/g)].map(([, url, rel]) => [
    rel,
    new URL(url ?? '').searchParams.get('page'),
  ]);
  expect(rels).toEqual([
    ['prev', '1'],
    ['next', '3'],
    ['last', '3'],
    ['first', '1'],
  ]);
  expect(page.headers.get('link')).toMatch(/\/api\/v3\/repositories\/\d+\/issues\?/);
  expect((await get(`${ISSUES}?per_page=100&page=3`)).headers.get('link')).not.toContain('rel="next"');
  expect(await numbers(await get(`${ISSUES}?page=99`))).toEqual([]);
});

test('an unchanged listing is 304 without body and Link, and costs nothing', async () => {
  const github = await runningEmulator();
  for (let number = 1; number <= 31; number += 1) github.openIssue('org/api');
  const get = ask(github);
  const first = await get(ISSUES);
  const etag = first.headers.get('etag') ?? '';
  expect(first.headers.get('link')).toContain('rel="next"');
  expect(first.headers.get('vary')).toContain('Authorization');
  await first.arrayBuffer();
  const used = github.rateLimits.window('writer').used;

  const again = await get(ISSUES, { headers: { 'if-none-match': etag } });
  expect([again.status, await again.text(), again.headers.get('link')]).toEqual([304, '', null]);
  expect(again.headers.get('etag')).toBe(etag);
  expect(github.rateLimits.window('writer').used).toBe(used);

  github.addLabel('org/api#31', 'new');
  expect((await get(ISSUES, { headers: { 'if-none-match': etag } })).status).toBe(200);
});

test('a change that a listing does not show leaves its ETag alone', async () => {
  const github = await runningEmulator();
  github.openIssue('org/api', { labels: ['x'] });
  const get = ask(github);
  const etag = (await get(`${ISSUES}?labels=x`)).headers.get('etag') ?? '';
  github.openIssue('org/api');
  expect((await get(`${ISSUES}?labels=x`, { headers: { 'if-none-match': etag } })).status).toBe(304);
});

test('another token gets another ETag for the same answer', async () => {
  const github = await runningEmulator();
  const etag = (await ask(github)(ISSUES)).headers.get('etag') ?? '';
  const other = await ask(github, 'reader-secret')(ISSUES, { headers: { 'if-none-match': etag } });
  expect(other.status).toBe(200);
  expect(other.headers.get('etag')).not.toBe(etag);
});

test('adding labels is a union that brings unknown ones into being', async () => {
  const github = await runningEmulator();
  const { ticket } = github.openIssue('org/api', { labels: ['Bug'] });
  const body = json({ labels: ['bug', 'Agent-Smith:Done', { name: 'maybe', suggest: true }] });
  await ask(github)(`${ISSUES}/1/labels`, { method: 'POST', body });
  expect(github.issue(ticket).labels).toEqual(['Bug', 'Agent-Smith:Done']);
  expect(github.repositoryLabels('org/api').find((label) => label.name === 'Agent-Smith:Done')?.color).toBe('ededed');
});

test('an issue takes 100 labels and not one more', async () => {
  const github = await runningEmulator();
  const { ticket } = github.openIssue('org/api', { labels: Array.from({ length: 99 }, (_, index) => `l${index}`) });
  const add = (label: string) => ask(github)(`${ISSUES}/1/labels`, { method: 'POST', body: json({ labels: [label] }) });
  expect((await add('hundredth')).status).toBe(200);
  expect((await add('too many')).status).toBe(422);
  expect(github.issue(ticket).labels).toHaveLength(100);
});

test('a conditional write is refused and not applied', async () => {
  const github = await runningEmulator();
  const { ticket } = github.openIssue('org/api');
  const init = { method: 'POST', body: json({ labels: ['x'] }), headers: { 'if-match': '"abc"' } };
  expect((await ask(github)(`${ISSUES}/1/labels`, init)).status).toBe(400);
  expect(github.issue(ticket).labels).toEqual([]);
  expect(github.ledger.requests().at(-1)?.headers).toEqual({ 'if-match': '"abc"' });
});

test('without push access labels are dropped silently, or refused where they are all that was asked', async () => {
  const github = await runningEmulator();
  const send = ask(github, 'reader-secret');
  const labels = ['x'];
  expect((await send(ISSUES, { method: 'POST', body: json({ title: 'T', labels }) })).status).toBe(201);
  expect((await send(`${ISSUES}/1`, { method: 'PATCH', body: json({ labels }) })).status).toBe(200);
  expect((await send(`${ISSUES}/1/labels`, { method: 'POST', body: json({ labels }) })).status).toBe(403);
  expect(github.issue('org/api#1').labels).toEqual([]);
});

test('replacing the labels loses what others set, and the ledger names the operation', async () => {
  const github = await runningEmulator();
  github.openIssue('org/api', { labels: ['theirs'] });
  await octokit(github).rest.issues.setLabels({ owner: 'org', repo: 'api', issue_number: 1, labels: ['ours'] });
  expect(github.ledger.labelChanges('ORG/api#1').at(-1)).toMatchObject({ added: ['ours'], removed: ['theirs'] });
  expect(github.ledger.requests({ operation: 'issues/set-labels' })).toHaveLength(1);
});

test('events and ledger say who set a label: a token or a person', async () => {
  const github = await runningEmulator();
  const { ticket } = github.openIssue('org/api');
  github.addLabel(ticket, 'agent-smith', 'alice');
  const { rest } = octokit(github);
  await rest.issues.addLabels({ owner: 'org', repo: 'api', issue_number: 1, labels: ['agent-smith:enqueued'] });
  const events = await rest.issues.listEvents({ owner: 'org', repo: 'api', issue_number: 1 });
  expect(events.data.map((event) => event.actor?.login)).toEqual(['alice', 'smith']);
  expect(github.ledger.labelChanges(ticket).map((change) => change.by)).toEqual([
    { kind: 'person', login: 'alice' },
    { kind: 'token', id: 'writer', login: 'smith' },
  ]);
  expect(github.ledger.lifecycleHistory(ticket)).toEqual(['enqueued']);
});

test('a token may come as Bearer, as token and as the password of Basic', async () => {
  const github = await runningEmulator();
  const basic = `Basic ${Buffer.from('somebody:writer-secret').toString('base64')}`;
  for (const authorization of ['Bearer writer-secret', 'token writer-secret', basic]) {
    expect((await ask(github)('/user', { headers: { authorization } })).status).toBe(200);
  }
});

test('broken JSON is 400 and an unknown path 404, both in the ledger', async () => {
  const github = await runningEmulator();
  expect((await ask(github)(ISSUES, { method: 'POST', body: '{' })).status).toBe(400);
  expect((await ask(github)('/teapot')).status).toBe(404);
  expect(github.ledger.requests().map((entry) => entry.operation)).toEqual(['issues/create', undefined]);
});

test('a wrong, a missing and a revoked token are 401; a repository out of sight is 404', async () => {
  const github = await runningEmulator();
  github.tokens.add('narrow', { token: 'narrow-secret', repositories: ['org/else'] });
  expect((await ask(github, 'guess')('/user')).status).toBe(401);
  expect((await fetch(`${github.url}/user`)).status).toBe(401);
  expect((await ask(github, 'narrow-secret')('/repos/org/api')).status).toBe(404);
  github.tokens.remove('writer');
  expect((await ask(github)('/user')).status).toBe(401);
  expect(JSON.stringify(github.ledger.requests())).not.toContain('secret');
});

test.each([403, 429] as const)(
  'a used-up primary limit refuses everything with %d until it resets',
  async (refusal) => {
    let nowMs = Date.parse('2026-01-01T00:00:00Z');
    const github = await runningEmulator({ rateLimit: { limit: 10 }, nowMs: () => nowMs });
    const resetAtMs = nowMs + 60_000;
    github.rateLimits.set('writer', { remaining: 1, resetAtMs, refusal });
    const get = ask(github);
    const last = await get('/user');
    expect([last.status, last.headers.get('x-ratelimit-remaining')]).toEqual([200, '0']);
    const refused = await get('/user');
    expect([refused.status, refused.headers.get('x-ratelimit-remaining')]).toEqual([refusal, '0']);
    expect(refused.headers.get('date')).toBe(new Date(nowMs).toUTCString());
    expect(refused.headers.get('x-ratelimit-reset')).toBe(String(resetAtMs / 1000));
    expect((await get('/rate_limit')).status).toBe(200);
    expect((await ask(github, 'reader-secret')('/user')).status).toBe(200);
    nowMs = resetAtMs;
    expect((await get('/user')).headers.get('x-ratelimit-remaining')).toBe('9');
  },
);

test('a secondary limit refuses so many requests, with Retry-After only if wanted', async () => {
  const github = await runningEmulator();
  github.imposeSecondaryLimit({ token: 'writer', times: 1 });
  const plain = await ask(github)('/user');
  expect([plain.status, plain.headers.get('retry-after')]).toEqual([403, null]);
  expect(plain.headers.get('x-ratelimit-remaining')).not.toBe('0');
  expect(await plain.text()).toContain('You have exceeded a secondary rate limit');
  github.imposeSecondaryLimit({ status: 429, retryAfterSeconds: 7, times: 1 });
  const polite = await ask(github)('/user');
  expect([polite.status, polite.headers.get('retry-after')]).toEqual([429, '7']);
  expect((await ask(github)('/user')).status).toBe(200);
});

test('a former name redirects reads with 301 and writes with 307, until somebody takes the name', async () => {
  const github = await runningEmulator();
  github.renameRepository('org/api', 'new/name');
  const moved = await ask(github)(`${ISSUES}?state=all`);
  expect(moved.status).toBe(301);
  expect(moved.headers.get('location')).toMatch(/\/api\/v3\/repositories\/\d+\/issues\?state=all$/);
  expect((await ask(github)(`${ISSUES}/1/labels`, { method: 'POST', body: json({ labels: ['x'] }) })).status).toBe(307);
  github.addRepository('org/api');
  expect(await numbers(await ask(github)(ISSUES))).toEqual([]);
});

test('what it holds survives being closed, and it comes back on the same port', async () => {
  const github = await runningEmulator();
  const { url, ticket } = { url: github.url, ticket: github.openIssue('org/api').ticket };
  await github.close();
  await expect(fetch(`${url}/user`)).rejects.toThrow('fetch failed');
  await github.start();
  expect(github.url).toBe(url);
  expect(github.issue(ticket).open).toBe(true);
  expect((await ask(github)('/user')).status).toBe(200);
});

test('its addresses look like a GitHub Enterprise Server', async () => {
  const github = await runningEmulator();
  expect(github.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/api\/v3$/);
  expect(`${github.pageUrl('org/api')}/issues/1`).toBe(github.openIssue('org/api').url);
});
