/** What the documentation says may be asked of a replica is there, and nothing else is (row D14): every page but the emulators'. */
import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { apiRoutes } from '../../src/server/api.ts';
import { createHttpApp } from '../../src/server/http-app.ts';
import { load } from '../config/load-text.ts';
import { startApp } from '../support/app.ts';
import { FAST, REPOSITORY, silentLog, startHub, TOKEN } from '../support/house.ts';
import { useRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';
import { sendLabeled, webhookProject } from '../webhooks/senders.ts';

const redis = useRedis();
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const API_TOKEN = 'open-sesame-of-the-docs';

const textOf = (file: string): string => readFileSync(`${ROOT}/${file}`, 'utf8');
const pages = ['README.md', ...globSync('docs/**/*.md', { cwd: ROOT })].filter((page) => page !== 'docs/emulators.md');

/** `GET /api/runs/ID`: as it is written, with a method where none is. */
function endpointsIn(text: string): string[] {
  const withMethod = [...text.matchAll(/\b(GET|POST|PUT|PATCH|DELETE) (\/[^\s`"'|,;)]+)/g)];
  const alone = [
    ...text.matchAll(/()(?:`|https?:\/\/(?:HOST|localhost:\d+))(\/(?:health|metrics|api|webhook)\/?[^\s`"'|,;)]*)/g),
  ];
  const whole = ([, method = '', path = '']: readonly string[]): string =>
    `${method || (/^\/webhook|\/replay$|\/claims$/.test(path) ? 'POST' : 'GET')} ${path}`;
  return [...withMethod, ...alone].map(whole).filter((endpoint) => !/ \/(api|webhook)$/.test(endpoint));
}

/** Of a replica that has a project of one platform and is asked with the token of the API, but proves no secret of a webhook. */
function statusesFor(path: string): readonly number[] {
  // The token of the API is none of an attempt.
  if (path.startsWith('/callback')) return [401];
  if (path.startsWith('/webhook')) return path.startsWith('/webhook/github') ? [401] : [404];
  if (/\/(cancel|retry)$/.test(path)) return [200, 202, 409];
  return path === '/health/ready' ? [200, 503] : [200, 202];
}

/** Statuses in the first column of the tables of a text. */
const statusesIn = (text: string): string[] => [...text.matchAll(/^\| (\d{3}) /gm)].map(([, status = '']) => status);
const statusesOf = (file: string): Set<string> =>
  new Set([...textOf(file).matchAll(/(?:status: |new Refusal\()(\d{3})/g)].map(([, status = '']) => status));

test('every endpoint that the documentation names is answered by a replica', async () => {
  const hub = await startHub();
  const config = await load(`projects: ${webhookProject(hub)}\npipelines: { fix-bug: { command: ['true'] } }`, {
    GITHUB_TOKEN: TOKEN,
    REDIS_URL: redis.url,
    AGENTSMITH_API_TOKEN: API_TOKEN,
  });
  const { app, port } = await startApp(config, { timing: { ...FAST, deliveryWriteMs: 10_000 } });
  await until('Redis is there', () =>
    app.health().subsystems.some(({ name, state }) => name === 'redis' && state === 'up'),
  );
  hub.openIssue(REPOSITORY, { labels: ['agent-smith'] });
  const { json } = await sendLabeled({ port }, hub, 1);
  const get = (path: string, init: RequestInit = {}): Promise<Response> =>
    fetch(`http://127.0.0.1:${port}${path}`, {
      ...init,
      headers: { authorization: `Bearer ${API_TOKEN}`, 'content-type': 'application/json', connection: 'close' },
    });
  const delivery = String(json['delivery']);
  const run = await until('it is claimed', async () => {
    const { runs } = (await (await get(`/api/deliveries/${delivery}`)).json()) as { runs?: readonly { id: string }[] };
    return runs?.[0]?.id;
  });
  const filled = (path: string): string =>
    path
      .replace(/NAME|<name>/, delivery)
      .replace(/\bID\b/, run)
      .replace(/PROJECT|<project>|my-api/, 'api')
      .replace('TICKET', '1')
      .replace('<platform>', 'github');

  const endpoints = new Set(pages.flatMap((page) => endpointsIn(textOf(page))));
  expect(endpoints.size).toBeGreaterThan(15);
  for (const endpoint of endpoints) {
    const [method = '', path = ''] = endpoint.split(' ');
    const asked = path === '/api/claims' ? { project: 'api', ticket: 1 } : {};
    const body = method === 'POST' ? JSON.stringify(asked) : null;
    const answer = await get(filled(path), { method, body });
    const text = await answer.text();
    expect([endpoint, text]).not.toEqual([endpoint, expect.stringContaining('"not found"')]);
    expect([endpoint, statusesFor(filled(path)).includes(answer.status), text]).toEqual([endpoint, true, text]);
  }
});

test('every route of the API has its heading, and every heading its route', async () => {
  const routes = new Set<string>();
  const app = createHttpApp();
  app.addHook('onRoute', ({ method, url }) => {
    if (method !== 'HEAD') routes.add(`${String(method)} ${url.replace(':name', 'NAME').replace(':id', 'ID')}`);
  });
  apiRoutes({ token: () => API_TOKEN, desk: () => undefined, redact: (text) => text, log: silentLog })(app);
  await app.ready();
  const headings = [...textOf('docs/api.md').matchAll(/^## `([A-Z]+ [^`?]+)/gm)].map(([, heading = '']) => heading);
  expect(new Set(headings)).toEqual(routes);
});

test('the answers in the tables are those that are given', () => {
  const [, callback = ''] = textOf('docs/runners/http.md').split('## The callback');
  expect(new Set(statusesIn(callback.split('\n## ')[0] ?? ''))).toEqual(statusesOf('src/server/callback-routes.ts'));
  const [, answers = ''] = textOf('docs/webhooks.md').split('## What an answer means');
  expect(new Set(statusesIn(answers.split('\n## ')[0] ?? ''))).toEqual(statusesOf('src/server/webhook-routes.ts'));
  expect(new Set(statusesIn(textOf('docs/api.md')))).toEqual(statusesOf('src/server/api/refusal.ts'));
});
