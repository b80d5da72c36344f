/**
 * `POST /webhook/<platform>[/<project>]` (DESIGN 9): HTTP around the receiver, and nothing else. What the answers mean to
 * the platforms is why they are so few: GitLab and Azure DevOps switch off a hook that is refused too often, Azure DevOps
 * at once for a 410 and soon for a 429 or a 500; GitHub never comes again by itself.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { messageOf } from '../foundation/errors.ts';
import type { Log } from '../foundation/log.ts';
import type { DeliveryReceiver, Reception } from '../ingress/deliveries/delivery-receiver.ts';
import { type BodyLimits, type BodyRefusal, createHeldBodies } from './held-bodies.ts';

export interface WebhookRoutesDeps {
  /** Undefined without Redis: nothing can be kept. */
  readonly receiver: () => Pick<DeliveryReceiver, 'receive'> | undefined;
  /** Whether this replica is about to close, and others take what comes later; default: never. */
  readonly leaving?: () => boolean;
  readonly log: Log;
}

export interface WebhookRoutesOptions {
  /** `/webhook`: what stands before the platform in the path. */
  readonly path: string;
  readonly limits?: BodyLimits;
}

interface Answer {
  readonly status: number;
  readonly json: object;
}

const DEFAULT_LIMITS: BodyLimits = {
  /** GitHub sends up to 25 MB. */
  mostBytes: 25 * 1024 * 1024,
  mostBytesInFlight: 256 * 1024 * 1024,
};
const RETRY_AFTER_SECONDS = '5';

const WITHOUT_REDIS: Reception = { kind: 'not-persisted', why: 'redis_unavailable' };
/** Whatever went wrong, the delivery may not be on record and has to come again: so this is no 500. */
const FAILED: Answer = { status: 503, json: { error: 'internal' } };

export function webhookRoutes(deps: WebhookRoutesDeps, options: WebhookRoutesOptions): (app: FastifyInstance) => void {
  const bodies = createHeldBodies(options.limits ?? DEFAULT_LIMITS);

  const receive = async ({ params, headers, raw }: FastifyRequest): Promise<Answer> => {
    const { platform = '', project } = params as { readonly platform?: string; readonly project?: string };
    try {
      return answerTo(
        await bodies.hold(raw, async (body) => {
          return (await deps.receiver()?.receive({ platform, project, headers, body })) ?? WITHOUT_REDIS;
        }),
      );
    } catch (error) {
      // Nobody hears the answer to a request that broke off, and anybody can send one.
      deps.log[raw.complete ? 'error' : 'debug']({ error: messageOf(error) }, 'webhook failed');
      return FAILED;
    }
  };

  const answer = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const { status, json } = await receive(request);
    if (status === 503) void reply.header('retry-after', RETRY_AFTER_SECONDS);
    // A sender that keeps its connection goes on with it, whatever balancers have been told: closed in the moment of its next
    // delivery, it would lose that one.
    if (deps.leaving?.() === true) void reply.header('connection', 'close');
    return await reply.code(status).send(json);
  };

  return (app) => {
    void app.register(async (scope) => {
      // The body is left alone until it is received, whatever its content type says: signatures are made over its bytes.
      scope.removeAllContentTypeParsers();
      scope.addContentTypeParser('*', (_request, _payload, done) => done(null));
      // Nothing of ours throws. What Fastify itself refuses is a header that is no content type: a delivery all the same.
      scope.setErrorHandler(async (_error, request, reply) => await answer(request, reply));
      const base = options.path.replace(/\/+$/, '');
      // With a slash at the end as well, as people may type it.
      for (const tail of [':platform', ':platform/', ':platform/:project', ':platform/:project/']) {
        scope.post(`${base}/${tail}`, answer);
      }
    });
  };
}

function answerTo(reception: Reception | BodyRefusal): Answer {
  switch (reception.kind) {
    case 'accepted':
      return { status: 202, json: { delivery: reception.delivery, state: 'received' } };
    case 'ignored':
      return { status: 200, json: { delivery: reception.delivery, state: 'ignored', reason: reception.reason } };
    case 'duplicate':
      return { status: 200, json: { delivery: reception.delivery, state: reception.state, duplicate: true } };
    case 'no-route':
      return { status: 404, json: { error: 'webhooks are not enabled here' } };
    case 'unproven':
      return { status: 401, json: { error: 'bad or missing signature' } };
    case 'unreadable':
      return { status: 400, json: { error: reception.problem } };
    case 'not-persisted':
      return { status: 503, json: { error: reception.why } };
    case 'too-large':
      return { status: 413, json: { error: 'the body is too large' } };
    case 'overloaded':
      return { status: 503, json: { error: 'overloaded' } };
    default:
      return reception satisfies never;
  }
}
