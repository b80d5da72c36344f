/**
 * A Jira on loopback, Cloud or Data Center, for tests and the demo: stateful, as strict as the real one, with every
 * exchange in a ledger and faults on demand. What it holds survives `close()`, so a server that is down and comes back
 * is `close()` and `start()`.
 */
import type { EmulatedServer } from '../emulated-project.ts';
import { createFaults, type FaultMatcher, type InjectedFault } from '../faults.ts';
import { createHttpServer } from '../http-server.ts';
import { createLedger, type LedgerOptions } from '../ledger.ts';
import type { WebhookOptions, WebhookSender } from '../webhook-sender.ts';
import { accountRoutes } from './account-routes.ts';
import { type AccountOptions, type Accounts, createAccounts, type Deployment } from './accounts.ts';
import { createApi } from './api.ts';
import { commentRoutes } from './comment-routes.ts';
import { issueRoutes } from './issue-routes.ts';
import { createPeople, type People } from './people.ts';
import type { Route } from './routes.ts';
import { createSearchIndex, type SearchIndex } from './search-index.ts';
import { searchRoutes } from './search-routes.ts';
import type { Addresses } from './shapes.ts';
import { createState } from './state.ts';
import { createTokenBuckets, type TokenBucketOptions, type TokenBuckets } from './token-buckets.ts';
import { createWebhooks, type JiraHookSettings } from './webhooks.ts';

export interface JiraEmulatorOptions {
  readonly deployment: Deployment;
  /**
   * Path before `/rest`, for example `/jira`. On Cloud it stands for the gateway of scoped tokens (`/ex/jira/ID`): the
   * pages for people are not below it.
   */
  readonly contextPath?: string;
  /** 0 (default) takes any free port at the first start; a later start takes the same one again. */
  readonly port?: number;
  /** By id, the name under which the ledger knows the token. */
  readonly accounts?: Readonly<Record<string, AccountOptions>>;
  /** Keys. */
  readonly projects?: readonly string[];
  /** Data Center only; off when absent. */
  readonly tokenBuckets?: TokenBucketOptions;
  /** The most that a page of a search holds, whatever is asked for. Default 100 on Cloud, 1000 on Data Center. */
  readonly pageLimit?: number;
  readonly webhooks?: WebhookOptions;
  readonly ledger?: LedgerOptions;
  /** Wall clock of the server. Default `Date.now`. */
  readonly nowMs?: () => number;
}

export interface RateLimit {
  /** As Cloud says it in `RateLimit-Reason`; Data Center gives none. */
  readonly reason?:
    | 'jira-burst-based'
    | 'jira-per-issue-on-write'
    | 'jira-quota-global-based'
    | 'jira-quota-tenant-based';
  readonly account?: string;
  readonly method?: string;
  readonly path?: RegExp;
  /** Jira also says 503. Default 429. */
  readonly status?: 429 | 503;
  readonly retryAfterSeconds?: number;
  /** Sent as `X-RateLimit-Reset`, an ISO time. */
  readonly resetInSeconds?: number;
  /** How many requests are refused; until removed when absent. */
  readonly times?: number;
}

export interface JiraEmulator extends EmulatedServer, People {
  readonly deployment: Deployment;
  /** What people open, and what stands as `url` in the configuration. */
  readonly siteUrl: string;
  readonly accounts: Accounts;
  readonly index: Pick<SearchIndex, 'fallBehind' | 'catchUp'>;
  readonly tokenBuckets: TokenBuckets;
  readonly webhooks: WebhookSender;
  /** Registers a webhook as an administrator does. Its id. */
  addWebhook(hook: JiraHookSettings): string;
  /** From now on a wrong token sees what somebody without an account sees, instead of a 401. */
  takeFailedLoginsForAnonymous(): void;
  /** Refuses requests for their rate until removed or used up. */
  imposeLimit(limit?: RateLimit): InjectedFault;
  /** Refuses this many edits, because another update is under way. */
  imposeConflict(times: number): InjectedFault;
}

const ROUTES: readonly Route[] = [...accountRoutes, ...issueRoutes, ...commentRoutes, ...searchRoutes];

export function createJiraEmulator(options: JiraEmulatorOptions): JiraEmulator {
  const { deployment, contextPath = '' } = options;
  const isCloud = deployment === 'cloud';
  const version = isCloud ? 3 : 2;
  const nowMs = options.nowMs ?? Date.now;
  const ledger = createLedger(options.ledger);
  const faults = createFaults();
  const accounts = createAccounts(deployment, options.accounts ?? {});
  const state = createState(ledger, nowMs);
  const index = createSearchIndex(state);
  const tokenBuckets = createTokenBuckets(isCloud ? undefined : options.tokenBuckets, nowMs);
  let failedLogin: 'refused' | 'anonymous' = 'refused';

  const api = createApi({
    surroundings: () => ({
      deployment,
      state,
      index,
      at: at(),
      pageLimit: options.pageLimit ?? (isCloud ? 100 : 1000),
    }),
    buckets: tokenBuckets,
    failedLogin: () => failedLogin,
    nowMs,
  });
  const server = createHttpServer<Route>({
    name: 'Jira',
    port: options.port,
    mounts: ROUTES.filter(({ only }) => only === undefined || only === deployment).map((route) => ({
      method: route.method,
      url: `${contextPath}/rest/api/${version}${route.path}`,
      route,
    })),
    prepare: (route, request) => {
      const identified = accounts.identify(request.headers.authorization);
      return {
        token: identified.kind === 'known' ? identified.account.id : undefined,
        work: () => api.answer(route, request, identified),
      };
    },
    ledger,
    faults,
    nowMs,
  });
  const at = (): Addresses => ({
    deployment,
    version,
    api: `${server.origin}${contextPath}`,
    site: isCloud ? server.origin : `${server.origin}${contextPath}`,
  });
  const people = createPeople(state, deployment, at);
  const webhooks = createWebhooks({ state, at, nowMs }, options.webhooks);
  for (const key of options.projects ?? []) people.addProject(key);

  return {
    ...people,
    deployment,
    get url() {
      return at().api;
    },
    get siteUrl() {
      return at().site;
    },
    ledger,
    faults,
    accounts,
    index,
    tokenBuckets,
    webhooks: webhooks.sender,
    addWebhook: webhooks.add,
    takeFailedLoginsForAnonymous() {
      failedLogin = 'anonymous';
    },
    imposeLimit: (limit = {}) => faults.inject(matcherOf(limit), limitAnswer(limit, nowMs)),
    imposeConflict: (times) =>
      faults.inject(
        { method: 'PUT', path: /\/issue\//, times },
        {
          kind: 'answer',
          status: 409,
          body: { errorMessages: ['The issue could not be updated due to a conflicting update.'], errors: {} },
        },
      ),
    start: server.start,
    async close() {
      await webhooks.sender.stop();
      await server.close();
    },
  };
}

function matcherOf({ account, method, path, times }: RateLimit): FaultMatcher {
  return {
    ...(account === undefined ? {} : { token: account }),
    ...(method === undefined ? {} : { method }),
    ...(path === undefined ? {} : { path }),
    ...(times === undefined ? {} : { times }),
  };
}

function limitAnswer({ reason, status = 429, retryAfterSeconds, resetInSeconds }: RateLimit, nowMs: () => number) {
  const resetAtMs = nowMs() + (resetInSeconds ?? 0) * 1000;
  return {
    kind: 'answer' as const,
    status,
    headers: {
      date: new Date(nowMs()).toUTCString(),
      ...(reason === undefined ? {} : { 'ratelimit-reason': reason }),
      ...(retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) }),
      ...(resetInSeconds === undefined
        ? {}
        : { 'x-ratelimit-reset': new Date(resetAtMs).toISOString(), 'x-ratelimit-remaining': '0' }),
    },
    body: { errorMessages: ['Rate limit exceeded. Please try again later.'], errors: {} },
  };
}
