/**
 * A GitHub on loopback, for tests and the demo: stateful, as strict as the real one, with every exchange in a ledger and
 * faults on demand. It looks like a GitHub Enterprise Server: pages at `http://127.0.0.1:PORT/owner/repo`, the API below
 * `/api/v3`. What it holds survives `close()`, so a server that is down and comes back is `close()` and `start()`.
 */
import type { AddressInfo } from 'node:net';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { createFaults, type Faults, type InjectedFault } from '../faults.ts';
import { createLedger, type Ledger, type LedgerOptions, NOTED_HEADERS } from '../ledger.ts';
import { accountRoutes } from './account-routes.ts';
import { API_BASE, createApi } from './api.ts';
import { issueRoutes } from './issue-routes.ts';
import { labelRoutes } from './label-routes.ts';
import { createPeople, type People } from './people.ts';
import { createRateLimits, type RateLimitOptions, type RateLimits } from './rate-limits.ts';
import type { Route } from './routes.ts';
import type { Addresses } from './shapes.ts';
import { createState } from './state.ts';
import { createTokens, type TokenOptions, type Tokens } from './tokens.ts';

export interface GitHubEmulatorOptions {
  /** 0 (default) takes any free port at the first start; a later start takes the same one again. */
  readonly port?: number;
  /** By id, the name under which the ledger knows the token. */
  readonly tokens?: Readonly<Record<string, TokenOptions>>;
  /** `owner/name` each. */
  readonly repositories?: readonly string[];
  readonly rateLimit?: RateLimitOptions;
  readonly ledger?: LedgerOptions;
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
  readonly rateLimits: RateLimits;
  /** Refuses with a secondary rate limit until removed or used up. */
  imposeSecondaryLimit(limit?: SecondaryLimit): InjectedFault;
  start(): Promise<void>;
  /** Closes every connection, hanging ones too; resolves when all exchanges are in the ledger. */
  close(): Promise<void>;
}

export const GITHUB_ROUTES: readonly Route[] = [...accountRoutes, ...issueRoutes, ...labelRoutes];

export function createGitHubEmulator(options: GitHubEmulatorOptions = {}): GitHubEmulator {
  const nowMs = options.nowMs ?? Date.now;
  const ledger = createLedger(options.ledger);
  const faults = createFaults();
  const tokens = createTokens(options.tokens ?? {});
  const rateLimits = createRateLimits(options.rateLimit ?? {}, nowMs);
  const state = createState(ledger, nowMs);
  const inFlight = new Set<Promise<void>>();
  let port = options.port ?? 0;
  let app: FastifyInstance | undefined;

  const at = (): Addresses => {
    if (port === 0) throw new Error('the GitHub emulator has no address before its first start');
    const origin = `http://127.0.0.1:${port}`;
    return { origin, api: `${origin}${API_BASE}` };
  };
  const api = createApi({ state, rateLimits, at, nowMs });
  const people = createPeople(state, at);
  for (const fullName of options.repositories ?? []) people.addRepository(fullName);

  const exchange = async (route: Route | undefined, request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    const atMs = nowMs();
    const { method, url: path, headers } = request;
    const identified = tokens.identify(headers.authorization);
    const token = identified.kind === 'known' ? identified.token.id : undefined;
    const params = request.params as Record<string, string>;
    const body = typeof request.body === 'string' ? request.body : '';
    const delivery = await faults.exchange({ method, path, token }, reply.raw, () =>
      api.answer(route, { method, path, headers, params, body }, identified),
    );
    const noted = NOTED_HEADERS.flatMap((name) =>
      headers[name] === undefined ? [] : [[name, headers[name]] as const],
    );
    ledger.recordRequest({
      atMs,
      durationMs: nowMs() - atMs,
      method,
      path,
      operation: route?.operation,
      token,
      headers: Object.fromEntries(noted),
      ...delivery,
    });
  };
  const serve: Serve = (route) => (request, reply) => {
    // From here on the raw response is ours: faults must be able to cut it anywhere.
    reply.hijack();
    const running = exchange(route, request, reply).finally(() => inFlight.delete(running));
    inFlight.add(running);
  };

  return {
    ...people,
    get url() {
      return at().api;
    },
    pageUrl: (fullName) => `${at().origin}/${fullName}`,
    ledger,
    faults,
    tokens,
    rateLimits,

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

    async start() {
      if (app !== undefined) throw new Error('the GitHub emulator is running already');
      app = buildServer(serve);
      await app.listen({ host: '127.0.0.1', port });
      port = (app.server.address() as AddressInfo).port;
    },
    async close() {
      const closing = app;
      app = undefined;
      await closing?.close();
      await Promise.all(inFlight);
    },
  };
}

type Serve = (route: Route | undefined) => (request: FastifyRequest, reply: FastifyReply) => void;

function buildServer(serve: Serve): FastifyInstance {
  const app = fastify({
    forceCloseConnections: true,
    exposeHeadRoutes: false,
    bodyLimit: 32 * 1024 * 1024,
    // Label names are path parameters and may be long once they are escaped.
    routerOptions: { maxParamLength: 2000 },
  });
  // Bodies stay text: GitHub reads JSON whatever the content type says, and answers broken JSON in its own words.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => done(null, body));
  for (const route of GITHUB_ROUTES) {
    for (const base of route.scope === 'repository' ? ['/repos/:owner/:repo', '/repositories/:id'] : ['']) {
      app.route({ method: route.method, url: `${API_BASE}${base}${route.path}`, handler: serve(route) });
    }
  }
  app.setNotFoundHandler(serve(undefined));
  return app;
}
