/**
 * `POST /callback/RUN/ATTEMPT`: a service of the http runner tells what came of a run. HTTP around the records, and nothing
 * else. Every replica takes it, whoever is at work on the run, and also while nobody is: 200 means that it is in Redis.
 *
 * Who does not hold a token is told nothing: an unknown run, another run's token and none at all are answered alike, before
 * anything of the body is read.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { readTold, textOfTold } from '../domain/told.ts';
import { messageOf, OperationError } from '../foundation/errors.ts';
import type { Log } from '../foundation/log.ts';
import { REDACTED } from '../foundation/redactor.ts';
import type { CallbackRecords } from '../runs/callback-records.ts';
import { bearerOf } from './bearer.ts';

export interface CallbackRoutesDeps {
  /** Undefined without Redis: nothing can be kept. */
  readonly records: () => Pick<CallbackRecords, 'proves' | 'recovering' | 'keep'> | undefined;
  readonly log: Log;
  /** Each request, when it is answered. */
  readonly onAnswered?: (result: CallbackResult) => void;
}

/** What came of a request: its result was kept, or why not. */
export type CallbackResult =
  | 'kept'
  | 'ended'
  | 'contradicted'
  | 'unproven'
  | 'malformed'
  | 'too-large'
  | 'not-persisted'
  | 'failed';

interface Answer {
  readonly status: number;
  readonly json: object;
  readonly result: CallbackResult;
}

const RETRY_AFTER_SECONDS = '5';
const COME_AGAIN: Answer = { status: 503, json: { error: 'redis_unavailable' }, result: 'not-persisted' };
const UNAUTHORIZED: Answer = { status: 401, json: { error: 'unauthorized' }, result: 'unproven' };

/** Thrown to end a request with something else than 200. */
class Refused extends Error {
  readonly answer: Answer;

  constructor(answer: Answer) {
    super(String(answer.status));
    this.name = 'Refused';
    this.answer = answer;
  }
}

export function callbackRoutes(deps: CallbackRoutesDeps): (app: FastifyInstance) => void {
  const records = (): Pick<CallbackRecords, 'proves' | 'recovering' | 'keep'> => {
    const found = deps.records();
    if (found === undefined) throw new Refused(COME_AGAIN);
    return found;
  };

  /** @throws Refused unless the request carries the token of this attempt */
  const letIn = async (request: FastifyRequest): Promise<void> => {
    const token = bearerOf(request);
    if (token === undefined) throw new Refused(UNAUTHORIZED);
    const { run, attempt } = named(request);
    if (await records().proves(run, attempt, token)) return;
    // Live attempts make their tokens known again within a heartbeat. Said to everybody, so nobody learns anything.
    throw new Refused(records().recovering() ? COME_AGAIN : UNAUTHORIZED);
  };

  const keep = async (request: FastifyRequest): Promise<Answer> => {
    const { run, attempt } = named(request);
    // It would be shown to everybody who reads the ticket; looked for before it is cut, afterwards it would not be known.
    const body = JSON.stringify(request.body ?? null).replaceAll(bearerOf(request) ?? REDACTED, REDACTED);
    const read = readTold(JSON.parse(body));
    if (!read.ok) return malformed(read.problem);
    const result = await records().keep(run, textOfTold(read.told));
    deps.log.info({ run, attempt: Number(attempt), state: read.told.state, outcome: result }, 'service called back');
    switch (result) {
      case 'kept':
        return {
          status: 200,
          json: { state: 'kept', ...(read.told.problem && { ignored: read.told.problem }) },
          result,
        };
      case 'ended':
        return { status: 409, json: { error: 'conflict', detail: 'the run has ended' }, result };
      case 'contradicted':
        return { status: 409, json: { error: 'conflict', detail: 'another result was told before' }, result };
      default:
        return result satisfies never;
    }
  };

  const send = async (reply: FastifyReply, { status, json, result }: Answer): Promise<FastifyReply> => {
    deps.onAnswered?.(result);
    if (status === 401) void reply.header('www-authenticate', 'Bearer');
    if (status === 503) void reply.header('retry-after', RETRY_AFTER_SECONDS);
    return await reply.code(status).header('cache-control', 'no-store').send(json);
  };

  return (app) => {
    void app.register(async (scope) => {
      scope.addHook('onRequest', letIn);
      scope.setErrorHandler(async (error, _request, reply) => await send(reply, answerTo(error, deps.log)));
      scope.post('/callback/:run/:attempt', async (request, reply) => await send(reply, await keep(request)));
    });
  };
}

function named({ params }: FastifyRequest): { readonly run: string; readonly attempt: string } {
  const { run = '', attempt = '' } = params as { readonly run?: string; readonly attempt?: string };
  return { run, attempt };
}

function answerTo(error: unknown, log: Log): Answer {
  if (error instanceof Refused) return error.answer;
  if (error instanceof OperationError) {
    log.warn({ error: messageOf(error) }, 'callback not persisted');
    return COME_AGAIN;
  }
  // Of Fastify: no JSON, another content type, too much of it.
  const { statusCode = 500 } = error as { readonly statusCode?: number };
  if (statusCode === 413) return { status: 413, json: { error: 'the body is too large' }, result: 'too-large' };
  if (statusCode < 500) return malformed('send JSON, with the header content-type: application/json');
  // Whatever went wrong, the result may not be kept and has to come again: so this is no 500.
  log.error({ error: messageOf(error) }, 'callback failed');
  return { status: 503, json: { error: 'internal' }, result: 'failed' };
}

function malformed(detail: string): Answer {
  return { status: 400, json: { error: 'bad request', detail }, result: 'malformed' };
}
