/** The HTTP listener of a replica. It answers as long as the process lives, whatever is wrong with everything else. */
import type { FastifyInstance } from 'fastify';
import { messageOf } from '../foundation/errors.ts';
import type { Log } from '../foundation/log.ts';
import { type HealthFacts, healthBody, readiness } from './health.ts';
import { createHttpApp } from './http-app.ts';
import type { Metrics } from './metrics.ts';

export interface Server {
  /** Resolves with the port that it listens on. Rejects when the port is taken. */
  listen(options: { readonly host: string; readonly port: number }): Promise<number>;
  /** Answers what is under way, then closes. */
  close(): Promise<void>;
}

export interface ServerDeps {
  readonly health: () => HealthFacts;
  /** Looks at what other replicas do, within a moment; never throws. */
  readonly freshen?: () => Promise<void>;
  readonly metrics: Pick<Metrics, 'page'>;
  readonly log: Log;
  /** Further routes. */
  readonly mounts?: readonly ((app: FastifyInstance) => void)[];
}

export function createServer(deps: ServerDeps): Server {
  const app = createHttpApp();

  app.get('/health', async () => {
    await deps.freshen?.();
    return healthBody(deps.health());
  });
  app.get('/health/ready', async (_request, reply) => {
    const { code, body } = readiness(deps.health());
    return await reply.code(code).send(body);
  });
  app.get('/metrics', async (_request, reply) => {
    const { contentType, text } = await deps.metrics.page();
    return await reply.header('content-type', contentType).send(text);
  });
  for (const mount of deps.mounts ?? []) mount(app);
  app.setErrorHandler(async (error, _request, reply) => {
    const status = (error as { statusCode?: number }).statusCode ?? 500;
    if (status >= 500) deps.log.error({ error: messageOf(error) }, 'request failed');
    return await reply.code(status).send({ error: status >= 500 ? 'internal error' : messageOf(error) });
  });

  return {
    async listen(options) {
      const address = await app.listen(options);
      return Number(new URL(address).port);
    },
    close: () => app.close(),
  };
}
