/** What both listeners of a replica have in common, the one for everything and the one for webhooks alone. */
import { type FastifyInstance, fastify } from 'fastify';

/** Of bodies that are parsed; a route may read larger ones by itself. */
const BODY_LIMIT_BYTES = 1024 * 1024;
/**
 * As long as Node lets a request line be. Names of deliveries are longer than the default of 100 allows, and what exceeds
 * the limit is answered 414 by the router itself, before a route can ask who is there.
 */
const MOST_PARAM_LENGTH = 16 * 1024;
/** A sender that has not sent its request by then never will. What the answer takes does not count. */
const REQUEST_TIMEOUT_MS = 30_000;
/** Any answer takes less, and a sender that still has not sent its request by then may ask another replica. */
export const CLOSE_PATIENCE_MS = 5_000;

/** Without routes: whatever is asked is answered 404. */
export function createHttpApp(
  requestTimeoutMs = REQUEST_TIMEOUT_MS,
  closePatienceMs = CLOSE_PATIENCE_MS,
): FastifyInstance {
  const app = fastify({
    logger: false,
    bodyLimit: BODY_LIMIT_BYTES,
    routerOptions: { maxParamLength: MOST_PARAM_LENGTH },
    forceCloseConnections: 'idle',
    requestTimeout: requestTimeoutMs,
    // Node looks for late requests at this interval, and takes the longer of the two timeouts for the whole request.
    http: { headersTimeout: requestTimeoutMs, connectionsCheckingInterval: requestTimeoutMs },
  });
  app.addHook('preClose', async () => {
    // Node closes the connections that are idle now. One that gets its answer yet would stay open for a minute more; one
    // on which nothing has been sent is none of the idle ones.
    app.server.keepAliveTimeout = 1;
    setTimeout(() => app.server.closeAllConnections(), closePatienceMs).unref();
  });
  app.setNotFoundHandler(async (_request, reply) => await reply.code(404).send({ error: 'not found' }));
  return app;
}
