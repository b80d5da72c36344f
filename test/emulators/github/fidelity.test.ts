/** Every kind of answer that the emulator gives is held against the official description of the API. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  createGitHubEmulator,
  GITHUB_ROUTES,
  type GitHubEmulator,
} from '../../../src/emulators/github/github-emulator.ts';
import { loadJudge } from './official-description.ts';
import { APP_ID, APPS, jwtOf } from './running-emulator.ts';

interface Exchange {
  readonly what: string;
  readonly method?: string;
  readonly path: string;
  readonly body?: unknown;
  readonly token?: string;
  readonly headers?: Record<string, string>;
  readonly status: number;
}

const REPO = '/repos/org/api';
/** Of the first webhook. Its first delivery is the ping, the next one goes to the App. */
const HOOK_DELIVERIES = `${REPO}/hooks/400001/deliveries`;
const FIRST_DELIVERY = '9007199254740994';
const APP_DELIVERY = '9007199254740996';

const NEW_PULL_REQUEST = { title: 'New', head: 'fix', base: 'main', body: 'Text', maintainer_can_modify: true };

/** In order: later ones build on what earlier ones changed. */
const EXCHANGES: readonly Exchange[] = [
  { what: 'the user', path: '/user', status: 200 },
  { what: 'the rate limit', path: '/rate_limit', status: 200 },
  { what: 'the server', path: '/meta', status: 200 },
  { what: 'a repository', path: REPO, status: 200 },
  { what: 'a repository without push access', path: REPO, token: 'reader-secret', status: 200 },
  { what: 'a repository that is not there', path: '/repos/org/nothing', status: 404 },
  { what: 'a renamed repository', path: '/repos/org/formerly', status: 301 },
  { what: 'a listing of a renamed repository', path: '/repos/org/formerly/issues?state=all', status: 301 },
  { what: 'issues and pull requests', path: `${REPO}/issues?state=all`, status: 200 },
  { what: 'a page of issues', path: `${REPO}/issues?state=all&per_page=1&page=2`, status: 200 },
  { what: 'an impossible state', path: `${REPO}/issues?state=ajar`, status: 422 },
  { what: 'an open issue', path: `${REPO}/issues/1`, status: 200 },
  { what: 'a pull request', path: `${REPO}/issues/2`, status: 200 },
  { what: 'a closed issue', path: `${REPO}/issues/3`, status: 200 },
  { what: 'a reopened issue', path: `${REPO}/issues/4`, status: 200 },
  { what: 'a deleted issue', path: `${REPO}/issues/5`, status: 410 },
  { what: 'a transferred issue', path: `${REPO}/issues/6`, status: 301 },
  { what: 'an issue that never was', path: `${REPO}/issues/999`, status: 404 },
  { what: 'an unchanged issue', path: `${REPO}/issues/1`, headers: { 'if-none-match': '*' }, status: 304 },
  { what: 'a new issue', method: 'POST', path: `${REPO}/issues`, body: { title: 'New', labels: ['x'] }, status: 201 },
  { what: 'an issue without title', method: 'POST', path: `${REPO}/issues`, body: {}, status: 422 },
  { what: 'an edited issue', method: 'PATCH', path: `${REPO}/issues/1`, body: { title: 'T', body: null }, status: 200 },
  { what: 'an issue closed by us', method: 'PATCH', path: `${REPO}/issues/1`, body: { state: 'closed' }, status: 200 },
  { what: 'a bad edit', method: 'PATCH', path: `${REPO}/issues/1`, body: { state: 'ajar' }, status: 422 },
  { what: 'labels of an issue', path: `${REPO}/issues/1/labels`, status: 200 },
  { what: 'added labels', method: 'POST', path: `${REPO}/issues/1/labels`, body: { labels: ['a', 'b'] }, status: 200 },
  { what: 'no label list', method: 'POST', path: `${REPO}/issues/1/labels`, body: { labels: 7 }, status: 422 },
  {
    what: 'too many labels',
    method: 'POST',
    path: `${REPO}/issues/1/labels`,
    body: { labels: Array.from({ length: 101 }, (_, index) => `label ${index}`) },
    status: 422,
  },
  {
    what: 'added labels without push access',
    method: 'POST',
    path: `${REPO}/issues/1/labels`,
    body: { labels: ['a'] },
    token: 'reader-secret',
    status: 403,
  },
  {
    what: 'labels of a renamed repository',
    method: 'POST',
    path: '/repos/org/formerly/issues/1/labels',
    body: { labels: ['a'] },
    status: 307,
  },
  { what: 'a removed label', method: 'DELETE', path: `${REPO}/issues/1/labels/a`, status: 200 },
  { what: 'an absent label', method: 'DELETE', path: `${REPO}/issues/1/labels/a`, status: 404 },
  { what: 'replaced labels', method: 'PUT', path: `${REPO}/issues/1/labels`, body: { labels: ['c'] }, status: 200 },
  { what: 'all labels removed', method: 'DELETE', path: `${REPO}/issues/1/labels`, status: 204 },
  { what: 'labels of a repository', path: `${REPO}/labels`, status: 200 },
  { what: 'one label', path: `${REPO}/labels/a`, status: 200 },
  { what: 'a label that is not there', path: `${REPO}/labels/zzz`, status: 404 },
  {
    what: 'a new label',
    method: 'POST',
    path: `${REPO}/labels`,
    body: { name: 'agent-smith:done', color: '0e8a16', description: 'Finished' },
    status: 201,
  },
  { what: 'a label twice', method: 'POST', path: `${REPO}/labels`, body: { name: 'A' }, status: 422 },
  {
    what: 'a colourless colour',
    method: 'POST',
    path: `${REPO}/labels`,
    body: { name: 'q', color: 'red' },
    status: 422,
  },
  { what: 'a new comment', method: 'POST', path: `${REPO}/issues/1/comments`, body: { body: 'Hi' }, status: 201 },
  { what: 'an empty comment', method: 'POST', path: `${REPO}/issues/1/comments`, body: { body: '' }, status: 422 },
  { what: 'comments', path: `${REPO}/issues/1/comments`, status: 200 },
  { what: 'comments of a deleted issue', path: `${REPO}/issues/5/comments`, status: 410 },
  { what: 'pull requests', path: `${REPO}/pulls?state=all&head=org:change-2&base=main`, status: 200 },
  { what: 'pull requests in an impossible state', path: `${REPO}/pulls?state=ajar`, status: 422 },
  { what: 'a pull request by itself', path: `${REPO}/pulls/2`, status: 200 },
  { what: 'an issue that is no pull request', path: `${REPO}/pulls/1`, status: 404 },
  { what: 'a new pull request', method: 'POST', path: `${REPO}/pulls`, body: NEW_PULL_REQUEST, status: 201 },
  { what: 'the same once more', method: 'POST', path: `${REPO}/pulls`, body: NEW_PULL_REQUEST, status: 422 },
  { what: 'no head', method: 'POST', path: `${REPO}/pulls`, body: { title: 'New', base: 'main' }, status: 422 },
  {
    what: 'a pull request without push access',
    method: 'POST',
    path: `${REPO}/pulls`,
    body: NEW_PULL_REQUEST,
    token: 'reader-secret',
    status: 403,
  },
  { what: 'events', path: `${REPO}/issues/4/events`, status: 200 },
  { what: 'events of a deleted issue', path: `${REPO}/issues/5/events`, status: 410 },
  { what: 'a wrong token', path: '/user', token: 'guess', status: 401 },
  {
    what: 'a conditional write',
    method: 'POST',
    path: `${REPO}/issues/1/labels`,
    body: { labels: ['a'] },
    headers: { 'if-match': '"x"' },
    status: 400,
  },
  { what: 'a used-up rate limit', path: '/user', token: 'spent-secret', status: 403 },
  { what: 'a used-up rate limit, the other way', path: '/user', token: 'spent-429-secret', status: 429 },
  { what: 'the App', path: '/app', token: 'jwt', status: 200 },
  { what: 'the App asked for by a token', path: '/app', status: 401 },
  { what: 'an installation', path: '/app/installations/7', token: 'jwt', status: 200 },
  { what: 'a suspended installation', path: '/app/installations/8', token: 'jwt', status: 200 },
  { what: 'an installation that is not there', path: '/app/installations/9', token: 'jwt', status: 404 },
  {
    what: 'a token of an installation',
    method: 'POST',
    path: '/app/installations/7/access_tokens',
    token: 'jwt',
    status: 201,
  },
  {
    what: 'a token of a suspended installation',
    method: 'POST',
    path: '/app/installations/8/access_tokens',
    token: 'jwt',
    status: 403,
  },
  { what: 'repositories of an installation', path: '/installation/repositories', token: 'installed', status: 200 },
  { what: 'repositories of no installation', path: '/installation/repositories', status: 403 },
  { what: 'the user behind an installation', path: '/user', token: 'installed', status: 403 },
  {
    what: 'a comment of an App',
    method: 'POST',
    path: `${REPO}/issues/1/comments`,
    body: { body: 'Hi' },
    token: 'installed',
    status: 201,
  },
  { what: 'webhooks', path: `${REPO}/hooks`, status: 200 },
  { what: 'webhooks without a scope for them', path: `${REPO}/hooks`, token: 'scopeless-secret', status: 404 },
  { what: 'webhooks without the permission', path: `${REPO}/hooks`, token: 'installed', status: 403 },
  { what: 'deliveries', path: HOOK_DELIVERIES, status: 200 },
  { what: 'a page of deliveries', path: `${HOOK_DELIVERIES}?per_page=1&status=failure`, status: 200 },
  { what: 'deliveries of a webhook that is not there', path: `${REPO}/hooks/7/deliveries`, status: 404 },
  { what: 'a delivery', path: `${HOOK_DELIVERIES}/${FIRST_DELIVERY}`, status: 200 },
  { what: 'a redelivery', method: 'POST', path: `${HOOK_DELIVERIES}/${FIRST_DELIVERY}/attempts`, status: 202 },
  { what: 'a delivery that is not there', method: 'POST', path: `${HOOK_DELIVERIES}/7/attempts`, status: 404 },
  { what: 'the webhook of the App', path: '/app/hook/config', token: 'jwt', status: 200 },
  { what: 'deliveries of the App', path: '/app/hook/deliveries', token: 'jwt', status: 200 },
  { what: 'a delivery of the App', path: `/app/hook/deliveries/${APP_DELIVERY}`, token: 'jwt', status: 200 },
  {
    what: 'a redelivery of the App',
    method: 'POST',
    path: `/app/hook/deliveries/${APP_DELIVERY}/attempts`,
    token: 'jwt',
    status: 202,
  },
  { what: 'issues that are switched off', path: '/repos/org/other/issues', status: 410 },
  { what: 'a repository that is archived', path: '/repos/org/other', status: 200 },
];

describe.each(['api.github.com', 'ghes-3.19'] as const)('against the description of %s', (edition) => {
  const judge = loadJudge(edition);
  let github: GitHubEmulator;
  /** Of the App; made when the emulator runs. */
  const secrets: Record<string, string> = {};

  beforeAll(async () => {
    github = createGitHubEmulator({
      repositories: ['org/formerly', 'org/other'],
      apps: APPS,
      tokens: {
        writer: { token: 'writer-secret' },
        reader: { token: 'reader-secret', canPush: false },
        spent: { token: 'spent-secret' },
        scopeless: { token: 'scopeless-secret', scopes: ['public_repo'] },
        spent429: { token: 'spent-429-secret' },
      },
    });
    await github.start();
    secrets.jwt = jwtOf({
      iss: APP_ID,
      iat: Math.floor(Date.now() / 1000) - 30,
      exp: Math.floor(Date.now() / 1000) + 500,
    });
    secrets.installed = await installationToken(github, secrets.jwt);
    github.apps.suspend('agent-smith', 8);
    github.renameRepository('org/formerly', 'org/api');
    github.rateLimits.set('spent', { remaining: 0 });
    github.rateLimits.set('spent429', { remaining: 0, refusal: 429 });
    github.openIssue('org/api', { body: 'Text', labels: ['bug', 'help wanted'] });
    github.openIssue('org/api', { isPullRequest: true });
    github.closeIssue(github.openIssue('org/api').ticket);
    github.closeIssue(github.openIssue('org/api').ticket);
    github.deleteIssue(github.openIssue('org/api').ticket);
    github.reopenIssue('org/api#4');
    github.addLabel('org/api#4', 'bug');
    github.removeLabel('org/api#4', 'bug');
    github.transferIssue(github.openIssue('org/api').ticket, 'org/other');
    github.configureRepository('org/other', { hasIssues: false, archived: true, isPrivate: false });
    // Nobody is there.
    const url = 'http://127.0.0.1:9/';
    github.addWebhook('org/api', { url, secret: 'sesame', events: ['push'] });
    await github.webhooks.settled();
    github.addAppWebhook('agent-smith', { url });
    github.addLabel('org/api#1', 'webhooks');
    await github.webhooks.settled();
  });
  afterAll(() => github.close());

  test.each(EXCHANGES)('$what: $status', async ({ method = 'GET', path, body, token, headers, status }) => {
    const response = await fetch(`${github.url}${path}`, {
      method,
      redirect: 'manual',
      headers: { authorization: `Bearer ${secrets[token ?? ''] ?? token ?? 'writer-secret'}`, ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    expect(response.status).toBe(status);
    const operation = github.ledger.requests().at(-1)?.operation ?? 'unknown';
    expect(judge.problems(operation, status, text === '' ? undefined : JSON.parse(text))).toBe('');
  });

  test('every route has answered with success', () => {
    const succeeded = new Set(
      github.ledger
        .requests()
        .filter((entry) => entry.status !== undefined && entry.status < 300)
        .map((entry) => entry.operation),
    );
    expect(GITHUB_ROUTES.map((route) => route.operation).filter((name) => !succeeded.has(name))).toEqual([]);
  });

  test('only these statuses are not in the description', () => {
    const undocumented = github.ledger
      .requests()
      .filter((entry) => !judge.documents(entry.operation ?? '', entry.status ?? 0))
      .map((entry) => `${entry.status} ${entry.operation}`);
    expect([...new Set(undocumented)].toSorted()).toEqual(UNDOCUMENTED);
  });

  test('the judge rejects a missing and an invented field', () => {
    expect(judge.problems('issues/get-label', 200, { name: 'x' })).toContain('required property');
    const label = {
      id: 1,
      node_id: 'x',
      url: 'http://x/',
      name: 'x',
      description: null,
      color: 'ffffff',
      default: false,
    };
    expect(judge.problems('issues/get-label', 200, label)).toBe('');
    expect(judge.problems('issues/get-label', 200, { ...label, colour: 'x' })).toContain('additional properties');
  });
});

async function installationToken(github: GitHubEmulator, jwt: string): Promise<string> {
  const answer = await fetch(`${github.url}/app/installations/7/access_tokens`, {
    method: 'POST',
    headers: { authorization: `Bearer ${jwt}` },
  });
  return ((await answer.json()) as { token: string }).token;
}

/** Known from recordings and documentation: redirected writes, permissions, preconditions, rate limits, what is off or not there. */
const UNDOCUMENTED = [
  '307 issues/add-labels',
  '400 issues/add-labels',
  '401 apps/get-authenticated',
  '403 issues/add-labels',
  '403 repos/list-webhooks',
  '404 repos/list-webhook-deliveries',
  '404 repos/redeliver-webhook-delivery',
  '410 issues/list-for-repo',
  '429 users/get-authenticated',
];
