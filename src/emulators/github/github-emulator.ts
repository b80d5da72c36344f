/**
 * A GitHub on loopback, for tests and the demo: stateful, as strict as the real one, with every exchange in a ledger and
 * faults on demand. It looks like a GitHub Enterprise Server: pages at `http://127.0.0.1:PORT/owner/repo`, the API below
 * `/api/v3`. What it holds survives `close()`, so a server that is down and comes back is `close()` and `start()`.
 */
import { createFaults, type Faults, type InjectedFault } from '../faults.ts';
import { createHttpServer, type Mount } from '../http-server.ts';
import { createLedger, type Ledger, type LedgerOptions } from '../ledger.ts';
import type { WebhookOptions, WebhookSender } from '../webhook-sender.ts';
import { accountRoutes } from './account-routes.ts';
import { API_BASE, createApi } from './api.ts';
import { appRoutes } from './app-routes.ts';
import { type AppOptions, type Apps, createApps } from './apps.ts';
import { issueRoutes } from './issue-routes.ts';
import { labelRoutes } from './label-routes.ts';
import { createPeople, type People } from './people.ts';
import { pullRequestRoutes } from './pull-request-routes.ts';
import { createRateLimits, type RateLimitOptions, type RateLimits } from './rate-limits.ts';
import type { Route } from './routes.ts';
import type { Addresses } from './shapes.ts';
import { createState, type ListBranches } from './state.ts';
import { createTokens, type TokenOptions, type Tokens } from './tokens.ts';
import { webhookRoutes } from './webhook-routes.ts';
import { createWebhooks, type GitHubHookSettings } from './webhooks.ts';

export interface GitHubEmulatorOptions {
  /** 0 (default) takes any free port at the first start; a later start takes the same one again. */
  readonly port?: number;
  /** By id, the name under which the ledger knows the token. */
  readonly tokens?: Readonly<Record<string, TokenOptions>>;
  /** By slug. */
  readonly apps?: Readonly<Record<string, AppOptions>>;
  /** `owner/name` each. */
  readonly repositories?: readonly string[];
  readonly rateLimit?: RateLimitOptions;
  readonly webhooks?: WebhookOptions;
  readonly ledger?: LedgerOptions;
  /** Asked for each new pull request; default: every branch is there. */
  readonly branches?: ListBranches;
  /** Wall clock of the server. Default `Date.now`. */
  readonly nowMs?: () => number;
}

export interface SecondaryLimit {
  readonly token?: string;
  /** GitHub answers either. Default 403. */
  readonly status?: 403 | 429;
  /** Sent as `Retry-After`; not sent when absent, as GitHub often does. */
  readonly retryAfterSeconds?: number;
  /** How many requests are refused; until removed when absent. */
  readonly times?: number;
}

export interface GitHubEmulator extends People {
  /** Base URL of the API, `http://127.0.0.1:1234/api/v3`. Throws before the first start. */
  readonly url: string;
  /** Page of a repository, `http://127.0.0.1:1234/owner/repo`: what stands as `url` in the configuration. */
  pageUrl(fullName: string): string;
  readonly ledger: Ledger;
  readonly faults: Faults;
  readonly tokens: Tokens;
  readonly apps: Apps;
  readonly rateLimits: RateLimits;
  /** The road of all webhooks. */
  readonly webhooks: WebhookSender;
  /** Registers the one webhook of an App, for all its installations; its id. */
  addAppWebhook(slug: string, settings: GitHubHookSettings): string;
  /** Refuses with a secondary rate limit until removed or used up. */
  imposeSecondaryLimit(limit?: SecondaryLimit): InjectedFault;
  start(): Promise<void>;
  /** Closes every connection, hanging ones too; resolves when all exchanges are in the ledger. */
  close(): Promise<void>;
}

export const GITHUB_ROUTES: readonly Route[] = [
  ...accountRoutes,
  ...appRoutes,
  ...issueRoutes,
  ...labelRoutes,
  ...pullRequestRoutes,
  ...webhookRoutes,
];

const MOUNTS: readonly Mount<Route>[] = GITHUB_ROUTES.flatMap((route) =>
  (route.scope === 'repository' ? ['/repos/:owner/:repo', '/repositories/:id'] : ['']).map((base) => ({
    method: route.method,
    url: `${API_BASE}${base}${route.path}`,
    route,
  })),
);

export function createGitHubEmulator(options: GitHubEmulatorOptions = {}): GitHubEmulator {
  const nowMs = options.nowMs ?? Date.now;
  const ledger = createLedger(options.ledger);
  const faults = createFaults();
  const tokens = createTokens(options.tokens ?? {}, nowMs);
  const apps = createApps(options.apps ?? {}, tokens, nowMs);
  const rateLimits = createRateLimits(options.rateLimit ?? {}, nowMs);
  const at = (): Addresses => ({ origin: server.origin, api: `${server.origin}${API_BASE}` });
  const webhooks = createWebhooks({ at, nowMs }, options.webhooks);
  const state = createState(ledger, nowMs, webhooks.tell, options.branches);
  const server = createHttpServer<Route>({
    name: 'GitHub',
    port: options.port,
    mounts: MOUNTS,
    prepare: (route, request) => {
      const { authorization } = request.headers;
      const identified = apps.identify(authorization) ?? tokens.identify(authorization);
      return {
        token: identified.kind === 'known' ? identified.token.id : undefined,
        work: () => api.answer(route, request, identified),
      };
    },
    ledger,
    faults,
    nowMs,
  });

  const api = createApi({ state, webhooks, rateLimits, at, nowMs });
  const people = createPeople(state, webhooks, at);
  for (const fullName of options.repositories ?? []) people.addRepository(fullName);

  return {
    ...people,
    get url() {
      return at().api;
    },
    pageUrl: (fullName) => `${at().origin}/${fullName}`,
    ledger,
    faults,
    tokens,
    apps,
    rateLimits,
    webhooks: webhooks.sender,

    addAppWebhook: (slug, settings) => String(webhooks.add({ kind: 'app', app: apps.app(slug) }, settings).id),

    imposeSecondaryLimit({ token, status = 403, retryAfterSeconds, times } = {}) {
      const matcher = { ...(token === undefined ? {} : { token }), ...(times === undefined ? {} : { times }) };
      return faults.inject(matcher, {
        kind: 'answer',
        status,
        headers: {
          // The primary limit still has something left: that is how the two are told apart.
          ...rateLimits.headers(token ?? 'any'),
          ...(retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) }),
        },
        body: {
          message: 'You have exceeded a secondary rate limit. Please wait a few minutes before you try again.',
          documentation_url:
            'https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api#about-secondary-rate-limits',
        },
      });
    },

    start: server.start,
    async close() {
      await webhooks.sender.stop();
      await server.close();
    },
  };
}
