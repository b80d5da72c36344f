/** The API on real stores and an emulated GitHub, as a replica has it, but without pollers and workers: nothing moves by itself. */

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { expect, onTestFinished } from 'vitest';
import { openApiDesk } from '../../src/app/api.ts';
import { openClaims } from '../../src/app/claims.ts';
import { createKnownProjects } from '../../src/app/known-projects.ts';
import { openStores, type Stores } from '../../src/app/stores.ts';
import { createRunCanceller } from '../../src/claims/run-canceller.ts';
import type { Config } from '../../src/config/config.ts';
import type { Environment } from '../../src/config/expand.ts';
import { loadConfig } from '../../src/config/load.ts';
import { createLeases } from '../../src/coordination/lease.ts';
import type { GitHubEmulator } from '../../src/emulators/github/github-emulator.ts';
import { createRedactor } from '../../src/foundation/redactor.ts';
import type { NewDelivery } from '../../src/runs/delivery-records.ts';
import { type ApiDesk, apiRoutes } from '../../src/server/api.ts';
import { createServer, type ServerDeps } from '../../src/server/server.ts';
import { FAST, REPOSITORY, silentLog, startHub, TOKEN } from '../support/house.ts';

export const API_TOKEN = 'open-sesame-of-the-api';
const WEBHOOK_SECRET = 'whispered-by-the-hook';
/** Stands in titles, bodies and payloads, and nowhere else. */
export const TICKET_TEXT = 'words-of-a-person';

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly json: Readonly<Record<string, unknown>>;
}

/** A request, its headers by their names. */
export interface Request {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** Asks as somebody who knows the token. Every answer is JSON, and none holds a secret or a ticket's text. */
export type Ask = (route: string, init?: Request) => Promise<Answer>;

export interface Site {
  readonly hub: GitHubEmulator;
  readonly stores: Stores;
  readonly desk: ApiDesk;
  readonly ask: Ask;
}

const timing = { ...FAST, redisCommandMs: 2_000, redisSocketMs: 8_000 };

export async function openSite(redisUrl: string): Promise<Site> {
  const hub = await startHub();
  const redactor = createRedactor();
  const config = await writeConfig(hub, { REDIS_URL: redisUrl });
  redactor.add(config.secrets.all());
  const stores = openStores({ config: () => config, timing, freshRedis: true, log: silentLog, redactor });
  if (stores === undefined) throw new Error('no Redis in the configuration');
  onTestFinished(async () => {
    await stores.queue.close();
    await stores.redis.close();
  });
  await stores.redis.whenUp(AbortSignal.timeout(10_000));
  const projects = createKnownProjects({ onRequest: () => {}, learnSecret: redactor.learn });
  projects.update(config);
  const canceller = createRunCanceller({ ...stores, log: silentLog });
  const desk = openApiDesk({
    config: () => config,
    projects,
    stores,
    claims: openClaims({ projects, stores, timing, canceller, log: silentLog, onOutcome: undefined }),
    canceller,
    leases: createLeases(stores.redis, timing),
    timing,
    ending: new AbortController().signal,
  });
  return { hub, stores, desk, ask: await openApi({ desk: () => desk, redact: redactor.redact }) };
}

export interface ApiOptions {
  readonly token?: () => string | undefined;
  readonly desk?: () => ApiDesk | undefined;
  readonly redact?: (text: string) => string;
}

/** A listener with the API and nothing behind it but what the test gives. */
export async function openApi(options: ApiOptions): Promise<Ask> {
  const nothing = (): never => {
    throw new Error('not asked here');
  };
  const deps: ServerDeps = { health: nothing, metrics: { page: nothing }, log: silentLog };
  const api = apiRoutes({
    token: () => API_TOKEN,
    desk: () => undefined,
    redact: (text) => text,
    log: silentLog,
    ...options,
  });
  const server = createServer({ ...deps, mounts: [api] });
  const port = await server.listen({ host: '127.0.0.1', port: 0 });
  onTestFinished(() => server.close());
  return (route, init) => ask(`http://127.0.0.1:${port}${route}`, init);
}

export async function ask(url: string, init: Request = {}): Promise<Answer> {
  const headers = { connection: 'close', authorization: `Bearer ${API_TOKEN}`, ...init.headers };
  const response = await fetch(url, { ...init, headers });
  const text = await response.text();
  for (const secret of [TOKEN, API_TOKEN, WEBHOOK_SECRET, TICKET_TEXT]) expect(text).not.toContain(secret);
  expect(response.headers.get('content-type')).toMatch(/^application\/json/);
  return { status: response.status, headers: response.headers, json: JSON.parse(text) as Answer['json'] };
}

export function posted(body: unknown): Request {
  return { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
}

/** As GitHub's `issues.labeled` becomes one. */
export function delivery(id: string, change: Partial<NewDelivery> = {}): NewDelivery {
  return {
    name: `github:api:${id}`,
    platform: 'github',
    source: 'api',
    id,
    derived: false,
    event: 'issues',
    action: 'labeled',
    installation: '77',
    place: REPOSITORY,
    placeId: '1296269',
    payloadHash: 'ab'.repeat(32),
    projects: ['api'],
    configHash: 'c0ffee',
    tickets: [{ key: 'github~host~org%2Fapi~1', id: '1' }],
    ignored: undefined,
    ...change,
  };
}

/** One project on the emulated GitHub. */
export async function writeConfig(hub: GitHubEmulator, env: Environment): Promise<Config> {
  const dir = await mkdtemp(path.join(os.tmpdir(), 'agent-smith-api-'));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  const file = path.join(dir, 'agentsmith.yml');
  const url = hub.pageUrl(REPOSITORY);
  await writeFile(
    file,
    `projects:
  api:
    source: { type: GitHub, url: ${url} }
    tickets: { type: GitHub, url: ${url}, auth: token }
    pipeline: fix-bug
    github_trigger: { pipeline_from_label: { agent-smith: fix-bug } }
    polling: { enabled: true, interval_seconds: 60 }
pipelines:
  fix-bug: { command: ['true'], env: { MODE: careful, KEY: '\${API_KEY}' } }
`,
  );
  const known = {
    GITHUB_TOKEN: TOKEN,
    GITHUB_WEBHOOK_SECRET: WEBHOOK_SECRET,
    AGENTSMITH_API_TOKEN: API_TOKEN,
    API_KEY: 'key-of-a-pipeline',
  };
  const loaded = await loadConfig({ file, env: { ...known, ...env } });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  return loaded.config;
}
