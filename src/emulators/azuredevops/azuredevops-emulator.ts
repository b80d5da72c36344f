/**
 * An Azure DevOps on loopback, for tests and the demo: stateful, as strict as the real one, with every exchange in a
 * ledger and faults on demand. Organisations as in the cloud are at `http://127.0.0.1:PORT/org`, collections as on a
 * server at `http://127.0.0.1:PORT/tfs/DefaultCollection`, and Entra's token endpoint is beside them. What it holds
 * survives `close()`, so a server that is down and comes back is `close()` and `start()`.
 */
import type { EmulatedServer } from '../emulated-project.ts';
import { createFaults, type InjectedFault } from '../faults.ts';
import { createHttpServer, type HttpRequest, type Mount } from '../http-server.ts';
import { createLedger, type LedgerOptions } from '../ledger.ts';
import type { WebhookOptions, WebhookSender } from '../webhook-sender.ts';
import { accountRoutes } from './account-routes.ts';
import { createApi } from './api.ts';
import { answerTokenRequest } from './entra.ts';
import { createLimits, type Limits, limitHeaders } from './limits.ts';
import { createPeople, type People } from './people.ts';
import { queryRoutes } from './query-routes.ts';
import { refused } from './replies.ts';
import type { Route } from './routes.ts';
import { createState } from './state.ts';
import { type ApplicationOptions, createTokens, type TokenOptions, type Tokens } from './tokens.ts';
import { webhookRoutes } from './webhook-routes.ts';
import { createWebhooks } from './webhooks.ts';
import { workItemRoutes } from './work-item-routes.ts';

export interface AzureDevOpsEmulatorOptions {
  /** 0 (default) takes any free port at the first start; a later start takes the same one again. */
  readonly port?: number;
  /** By id, the name under which the ledger knows the token. */
  readonly tokens?: Readonly<Record<string, TokenOptions>>;
  /** By id, too. */
  readonly applications?: Readonly<Record<string, ApplicationOptions>>;
  /** Projects by the path of their collection: `{ org: ['Shop'], 'tfs/DefaultCollection': ['Shop'] }`. */
  readonly collections?: Readonly<Record<string, readonly string[]>>;
  /** The most that a query may find. Default 20,000. */
  readonly queryLimit?: number;
  readonly webhooks?: WebhookOptions;
  readonly ledger?: LedgerOptions;
  /** Wall clock of the server. Default `Date.now`. */
  readonly nowMs?: () => number;
}

/** `url` is the server's address; a client library is given `collectionUrl`. */
export interface AzureDevOpsEmulator extends EmulatedServer, People {
  /** `http://127.0.0.1:1234/org`. */
  collectionUrl(path: string): string;
  /** The road of what the subscriptions send. */
  readonly webhooks: WebhookSender;
  readonly tokens: Tokens;
  readonly limits: Limits;
  /** Refuses with 429, as after too many delays, until removed or used up. */
  block(options?: {
    readonly token?: string;
    readonly times?: number;
    readonly retryAfterSeconds?: number;
  }): InjectedFault;
}

const ROUTES: readonly Route[] = [...accountRoutes, ...webhookRoutes, ...queryRoutes, ...workItemRoutes];

type Served = Route | { readonly operation: 'entra/token' };

const MOUNTS: readonly Mount<Served>[] = [
  ...ROUTES.flatMap(mountsOf),
  { method: 'POST', url: '/:tenant/oauth2/v2.0/token', route: { operation: 'entra/token' } },
];

export function createAzureDevOpsEmulator(options: AzureDevOpsEmulatorOptions = {}): AzureDevOpsEmulator {
  const nowMs = options.nowMs ?? Date.now;
  const ledger = createLedger(options.ledger);
  const faults = createFaults();
  const limits = createLimits(nowMs);
  const tokens = createTokens(nowMs);
  const collectionUrl = (path: string): string =>
    `${server.origin}/${path.split('/').map(encodeURIComponent).join('/')}`;
  const base = ({ path }: { readonly path: string }): string => collectionUrl(path);
  const webhooks = createWebhooks({ base, nowMs }, options.webhooks);
  const state = createState(ledger, nowMs, webhooks.tell);
  const prepare = (route: Served | undefined, request: HttpRequest) => {
    if (route?.operation === 'entra/token') {
      return { token: undefined, work: () => answerTokenRequest(tokens, request) };
    }
    const identified = tokens.identify(request.headers.authorization);
    const token = identified.kind === 'known' ? identified.token.id : undefined;
    const known = route !== undefined && 'handle' in route ? route : undefined;
    return { token, work: () => api.answer(known, request, identified) };
  };
  const server = createHttpServer({
    name: 'Azure DevOps',
    port: options.port,
    mounts: MOUNTS,
    prepare,
    ledger,
    faults,
    nowMs,
  });
  const api = createApi({
    state,
    webhooks,
    limits,
    origin: () => server.origin,
    nowMs,
    queryLimit: options.queryLimit ?? 20_000,
  });
  const people = createPeople(state, webhooks, base);

  for (const [id, token] of Object.entries(options.tokens ?? {})) tokens.add(id, token);
  for (const [id, application] of Object.entries(options.applications ?? {})) tokens.addApplication(id, application);
  for (const [path, projects] of Object.entries(options.collections ?? {})) people.addCollection(path, projects);

  return {
    ...people,
    get url() {
      return server.origin;
    },
    collectionUrl,
    ledger,
    faults,
    webhooks: webhooks.sender,
    tokens,
    limits,
    block({ token, times, retryAfterSeconds } = {}) {
      const matcher = { ...(token !== undefined && { token }), ...(times !== undefined && { times }) };
      const message =
        'TF400733: The request has been canceled: Request was blocked due to exceeding usage of resource.';
      return faults.inject(matcher, {
        kind: 'answer',
        status: 429,
        headers: limitHeaders({ ...(retryAfterSeconds !== undefined && { retryAfterSeconds }) }, nowMs()),
        body: refused(429, message, 'RequestBlockedException').body,
      });
    },
    start: server.start,
    async close() {
      await webhooks.stop();
      await server.close();
    },
  };
}

/** Every address of a route: in the cloud and on a server, below the collection and the project, in both spellings. */
function mountsOf(route: Route): Mount<Served>[] {
  const prefixes = ['/:organization', '/tfs/:collection'].flatMap((collection) => [
    ...(route.below === 'project' ? [] : [collection]),
    ...(route.below === 'collection' ? [] : [`${collection}/:project`]),
  ]);
  const paths = [...new Set([route.path, route.path.toLowerCase()])];
  return prefixes.flatMap((prefix) => paths.map((path) => ({ method: route.method, url: `${prefix}/${path}`, route })));
}
