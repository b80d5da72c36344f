/**
 * What people do with the tickets of emulated trackers, and what goes wrong there, over HTTP and JSON: for whoever tests
 * an integration of their own and has none of our code. It listens on a port of its own, so that its requests are in no
 * ledger, no fault hits them, and it answers while a tracker is down.
 *
 *   GET    /                                        what there is
 *   GET    /:platform/tickets                       POST opens one {title, body, labels, by}
 *   GET    /:platform/tickets/:ticket               DELETE: the platform does not know it any more
 *   POST   /:platform/tickets/:ticket/labels        {labels, by}
 *   DELETE /:platform/tickets/:ticket/labels/:label
 *   POST   /:platform/tickets/:ticket/comments      {body, by}
 *   POST   /:platform/tickets/:ticket/close         and /reopen
 *   GET    /:platform/faults                        POST injects one {match, fault}, DELETE removes all
 *   GET    /:platform/ledger?kind=request&last=50   requests, label changes and comments, oldest first
 *   POST   /:platform/webhooks                      registers one {url, secret}
 *   GET    /:platform/webhooks/attempts?last=50     what was sent and how it was answered, oldest first
 *   PUT    /:platform/webhooks/road                 {fault: drop | double | hold, times} spoils it, {fault: none} mends it
 *   PUT    /:platform/server                        {up: false} closes its port, {up: true} opens it again
 *
 * `:ticket` is the platform's id or the name for people, escaped for a URL (`acme%2Fshop%237`).
 */
import type { AddressInfo } from 'node:net';
import fastify from 'fastify';
import { z } from 'zod';
import { messageOf } from '../foundation/errors.ts';
import { controlRoutes, NoSuchTicketError } from './control-routes.ts';
import type { Site } from './sites.ts';

export interface ControlServer {
  /** `http://127.0.0.1:8189`. */
  readonly url: string;
  close(): Promise<void>;
}

/**
 * @param port 0 takes any free one.
 * @throws when it cannot be listened on, with the system's `code`.
 */
export async function startControlServer(sites: readonly Site[], port: number): Promise<ControlServer> {
  const app = fastify({ forceCloseConnections: true, routerOptions: { maxParamLength: 2_000 } });
  app.setErrorHandler((error, _request, reply) => void reply.code(statusOf(error)).send({ error: wordsOf(error) }));
  app.setNotFoundHandler(
    ({ method, url }, reply) =>
      void reply.code(404).send({ error: `no ${method} ${url} here: GET / says what there is` }),
  );
  app.get('/', () => sites.map(describe));
  for (const site of sites) {
    app.register(
      (part, _options, done) => {
        controlRoutes(part, site);
        done();
      },
      { prefix: `/${site.platform}` },
    );
  }
  await app.listen({ host: '127.0.0.1', port });
  const address = app.server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${address.port}`, close: () => app.close() };
}

function describe({ platform, server, project }: Site): object {
  return { platform, api: server.url, tickets: project.tickets, environment: project.environment };
}

function statusOf(error: unknown): number {
  if (error instanceof z.ZodError) return 400;
  if (error instanceof NoSuchTicketError) return 404;
  // Fastify's own errors know theirs; an emulator that refuses what people ask for has none.
  return error instanceof Error && 'statusCode' in error ? Number(error.statusCode) : 400;
}

function wordsOf(error: unknown): string {
  return error instanceof z.ZodError ? z.prettifyError(error) : messageOf(error);
}
