/**
 * The HTTP half of an emulator, the same for all of them: a server on loopback that hands each request to the emulator's
 * work, plays the faults around it and writes the exchange into the ledger. It knows no platform: routes, tokens and
 * answers come from the emulator.
 */
import type { IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { Answer, Faults } from './faults.ts';
import { type Ledger, NOTED_HEADERS } from './ledger.ts';

/** A request as data. */
export interface HttpRequest {
  readonly method: string;
  /** As sent, with the query. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** Decoded path parameters. */
  readonly params: Readonly<Record<string, string>>;
  /** Raw text whatever the content type says; empty when none was sent. */
  readonly body: string;
}

/** Where a route is found: a method and a URL pattern of Fastify's, with the platform's own route behind it. */
export interface Mount<Route> {
  readonly method: string;
  readonly url: string;
  readonly route: Route;
}

/** A request that has been understood so far that faults can be matched to it; the work has not been done yet. */
export interface Prepared {
  /** Id of the token; undefined when none or a wrong one was sent. */
  readonly token: string | undefined;
  /** Called at most once. Should not throw: an emulator that fails answers 500. */
  readonly work: () => Answer;
}

export interface HttpServerOptions<Route> {
  /** In error messages: `GitHub`. */
  readonly name: string;
  /** 0 (default) takes any free port at the first start; a later start takes the same one again. */
  readonly port?: number | undefined;
  readonly mounts: readonly Mount<Route>[];
  /** `route` is undefined when no mount has the path. */
  readonly prepare: (route: Route | undefined, request: HttpRequest) => Prepared;
  readonly ledger: Ledger;
  readonly faults: Faults;
  /** Wall clock of the server. */
  readonly nowMs: () => number;
}

export interface HttpServer {
  /** `http://127.0.0.1:1234`. Throws before the first start. */
  readonly origin: string;
  start(): Promise<void>;
  /** Closes every connection, hanging ones too; resolves when all exchanges are in the ledger. */
  close(): Promise<void>;
}

export function createHttpServer<Route extends { readonly operation: string }>(
  options: HttpServerOptions<Route>,
): HttpServer {
  const { name, mounts, prepare, ledger, faults, nowMs } = options;
  const inFlight = new Set<Promise<void>>();
  let port = options.port ?? 0;
  let app: FastifyInstance | undefined;

  const exchange = async (route: Route | undefined, request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    const atMs = nowMs();
    const { method, url: path, headers } = request;
    const params = request.params as Record<string, string>;
    const body = typeof request.body === 'string' ? request.body : '';
    const { token, work } = prepare(route, { method, path, headers, params, body });
    const delivery = await faults.exchange({ method, path, token }, reply.raw, work);
    const noted = NOTED_HEADERS.flatMap((header) =>
      headers[header] === undefined ? [] : [[header, headers[header]] as const],
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
  const serve = (route: Route | undefined) => (request: FastifyRequest, reply: FastifyReply) => {
    // From here on the raw response is ours: faults must be able to cut it anywhere.
    reply.hijack();
    const running = exchange(route, request, reply).finally(() => inFlight.delete(running));
    inFlight.add(running);
  };
  const build = (): FastifyInstance => {
    const server = bareServer();
    for (const { method, url, route } of mounts) server.route({ method, url, handler: serve(route) });
    server.setNotFoundHandler(serve(undefined));
    return server;
  };

  return {
    get origin() {
      if (port === 0) throw new Error(`the ${name} emulator has no address before its first start`);
      return `http://127.0.0.1:${port}`;
    },
    async start() {
      if (app !== undefined) throw new Error(`the ${name} emulator is running already`);
      app = build();
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

function bareServer(): FastifyInstance {
  const server = fastify({
    forceCloseConnections: true,
    exposeHeadRoutes: false,
    bodyLimit: 32 * 1024 * 1024,
    // Label names are path parameters and may be long once they are escaped.
    routerOptions: { maxParamLength: 2000 },
  });
  // Bodies stay text: each platform answers what it cannot read in its own words, whatever the content type says.
  server.removeAllContentTypeParsers();
  server.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => done(null, body));
  return server;
}
