/**
 * A GitLab on loopback, for tests and the demo: stateful, as strict as the real one and as silent where that is, with
 * every exchange in a ledger and faults on demand. Pages are at `http://127.0.0.1:PORT/group/project`, the API below
 * `/api/v4`, both below a path prefix if there is one. What it holds survives `close()`.
 */
import type { EmulatedServer } from '../emulated-project.ts';
import { createFaults, type InjectedFault } from '../faults.ts';
import { createHttpServer } from '../http-server.ts';
import { createLedger, type LedgerOptions } from '../ledger.ts';
import type { WebhookOptions, WebhookSender } from '../webhook-sender.ts';
import { accountRoutes } from './account-routes.ts';
import { createApi } from './api.ts';
import { issueRoutes } from './issue-routes.ts';
import { labelRoutes } from './label-routes.ts';
import { createPeople, type People } from './people.ts';
import { createRateLimits, type RateLimitOptions, type RateLimits, retryLater } from './rate-limits.ts';
import type { Route } from './routes.ts';
import type { Addresses } from './shapes.ts';
import { createState } from './state.ts';
import { threadRoutes } from './thread-routes.ts';
import { createTokens, type TokenOptions, type Tokens } from './tokens.ts';
import { webhookRoutes } from './webhook-routes.ts';
import { createWebhooks } from './webhooks.ts';

export interface GitLabEmulatorOptions {
  /** 0 (default) takes any free port at the first start; a later start takes the same one again. */
  readonly port?: number;
  /** A server below a path (GitLab's "relative URL root"), for example `/gitlab`. Default none. */
  readonly pathPrefix?: string;
  /** By id, the name under which the ledger knows the token. */
  readonly tokens?: Readonly<Record<string, TokenOptions>>;
  /** `group/project` each, groups may be nested. */
  readonly projects?: readonly string[];
  readonly rateLimit?: RateLimitOptions;
  readonly ledger?: LedgerOptions;
  readonly webhooks?: WebhookOptions;
  /** Wall clock of the server. Default `Date.now`. */
  readonly nowMs?: () => number;
}

export interface PlainLimit {
  readonly token?: string;
  /** Sent as `Retry-After`; not sent when absent, as by some of GitLab's limiters. */
  readonly retryAfterSeconds?: number;
  /** How many requests are refused; until removed when absent. */
  readonly times?: number;
}

export interface GitLabEmulator extends People, EmulatedServer {
  /** Page of a project, `http://127.0.0.1:1234/group/project`: what stands as `url` in the configuration. */
  pageUrl(path: string): string;
  readonly tokens: Tokens;
  readonly rateLimits: RateLimits;
  /** The road of its webhooks. */
  readonly webhooks: WebhookSender;
  /** Refuses by a 429 in plain text, without a word on the window, until removed or used up. */
  imposePlainLimit(limit?: PlainLimit): InjectedFault;
}

export const GITLAB_ROUTES: readonly Route[] = [
  ...accountRoutes,
  ...issueRoutes,
  ...labelRoutes,
  ...threadRoutes,
  ...webhookRoutes,
];

export function createGitLabEmulator(options: GitLabEmulatorOptions = {}): GitLabEmulator {
  const { pathPrefix = '', nowMs = Date.now } = options;
  const ledger = createLedger(options.ledger);
  const faults = createFaults();
  const tokens = createTokens(options.tokens ?? {});
  const rateLimits = createRateLimits(options.rateLimit ?? {}, nowMs);
  const webhooks = createWebhooks({ at: () => at(), nowMs }, options.webhooks);
  const state = createState(ledger, nowMs, webhooks.tell);
  const server = createHttpServer<Route>({
    name: 'GitLab',
    port: options.port,
    mounts: GITLAB_ROUTES.map((route) => ({
      method: route.method,
      url: `${pathPrefix}/api/v4${route.scope === 'project' ? '/projects/:project' : ''}${route.path}`,
      route,
    })),
    prepare: (route, request) => {
      const identified = tokens.identify(request.headers);
      return {
        token: identified.kind === 'known' ? identified.token.id : undefined,
        work: () => api.answer(route, request, identified),
      };
    },
    ledger,
    faults,
    nowMs,
  });

  const at = (): Addresses => {
    const pages = `${server.origin}${pathPrefix}`;
    return { pages, api: `${pages}/api/v4` };
  };
  const api = createApi({ state, webhooks, rateLimits, at, nowMs });
  const people = createPeople(state, webhooks, at);
  for (const path of options.projects ?? []) people.addProject(path);

  return {
    ...people,
    get url() {
      return at().api;
    },
    pageUrl: (path) => `${at().pages}/${path}`,
    ledger,
    faults,
    tokens,
    rateLimits,
    webhooks: webhooks.sender,

    imposePlainLimit({ token, retryAfterSeconds, times } = {}) {
      const matcher = { ...(token === undefined ? {} : { token }), ...(times === undefined ? {} : { times }) };
      const { status, text, headers } = retryLater(retryAfterSeconds);
      return faults.inject(matcher, { kind: 'answer', status, body: text, headers: { ...headers } });
    },

    start: server.start,
    async close() {
      await webhooks.sender.stop();
      await server.close();
    },
  };
}
