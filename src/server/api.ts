/**
 * `/api/*` (DESIGN 9): what is on record of deliveries and runs, and what a person may ask for: a replay, a claim,
 * the end of a run, a further one. HTTP around the stores, and nothing else.
 *
 * Closed unless it was opened: without a token in the configuration there is no API, and whoever does not know the token
 * is told nothing, not even which routes there are. Every answer passes the redactor once it is text.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { ClaimOutcome } from '../claims/claim-outcome.ts';
import type { Trigger } from '../domain/project.ts';
import { isTerminal, type Run } from '../domain/run.ts';
import { messageOf, OperationError } from '../foundation/errors.ts';
import type { Log } from '../foundation/log.ts';
import { isSameSecret } from '../foundation/same-secret.ts';
import type { CancelReply } from '../runs/cancellations.ts';
import type { DecisionLog } from '../runs/decision-log.ts';
import type { DeliveryRecords } from '../runs/delivery-records.ts';
import type { RunReader } from '../runs/run-reader.ts';
import type { WaitView } from '../runs/waiting.ts';
import { deliveryBody, outcomeBody, pageBody, runBody, wholeRunBody } from './api/answers.ts';
import {
  cancelQuestion,
  checked,
  claimQuestion,
  deliveriesQuestion,
  deliveryPath,
  explainQuestion,
  named,
  nothing,
  runPath,
  runQuestion,
  runsQuestion,
} from './api/questions.ts';
import { Refusal } from './api/refusal.ts';
import { bearerOf } from './bearer.ts';

export interface ApiDeps {
  /** Asked at each request, since a reload may change it. Undefined: there is no API. */
  readonly token: () => string | undefined;
  /** Undefined without Redis in the configuration. */
  readonly desk: () => ApiDesk | undefined;
  readonly redact: (text: string) => string;
  readonly log: Log;
}

/** A ticket by its project and by its id, or the name that people know it by. */
export interface TicketChoice {
  readonly project: string;
  readonly ticketId: string;
}

/** Who answers what the API is asked. Everything here throws `OperationError` when Redis is away. */
export interface ApiDesk {
  readonly deliveries: Pick<DeliveryRecords, 'list' | 'get' | 'replay'>;
  readonly runs: Pick<RunReader, 'list' | 'get' | 'attempts' | 'result' | 'output' | 'isCurrent'>;
  readonly decisions: Pick<DecisionLog, 'ofTicket'>;
  /** What a run in a backlog waits for; undefined of any other. */
  waiting(run: Run): Promise<WaitView | undefined>;
  /** A project of the configuration and a number, key or URL of a ticket in it. */
  pickTicket(project: string, text: string): TicketChoice | 'no-project' | 'no-ticket';
  /** @param again also what its labels show as ended */
  claim(ticket: TicketChoice, again: boolean): Promise<ClaimOutcome>;
  cancel(run: Run, by: string): Promise<CancelReply>;
  /** Whether a claim by the name of its project leads to this run's ticket, as the configuration is today. */
  canClaim(run: Run): boolean;
  explain(ticket: TicketChoice, trigger: Trigger | undefined): Promise<object>;
}

const MOST_DECISIONS = 100;
const RETRY_AFTER_SECONDS = '5';

export function apiRoutes(deps: ApiDeps): (app: FastifyInstance) => void {
  const desk = (): ApiDesk => {
    const found = deps.desk();
    if (found === undefined) throw Refusal.comeAgain('redis_unavailable');
    return found;
  };
  return (app) => {
    void app.register(
      async (api) => {
        takeEmptyBodies(api);
        api.setReplySerializer((body) => deps.redact(JSON.stringify(body)));
        api.addHook('onRequest', async (request, reply) => {
          void reply.header('cache-control', 'no-store');
          letIn(request, deps.token());
        });
        api.setNotFoundHandler(async () => {
          throw Refusal.notFound();
        });
        api.setErrorHandler(async (error, _request, reply) => await refuse(reply, refusalOf(error), error, deps.log));
        aboutDeliveries(api, desk);
        aboutRuns(api, desk);
        aboutEnds(api, desk);
        aboutTickets(api, desk);
      },
      { prefix: '/api' },
    );
  };
}

/** Where a body is optional, a client that always names its type may send an empty one. */
function takeEmptyBodies(api: FastifyInstance): void {
  const parse = api.getDefaultJsonParser('error', 'error');
  api.addContentTypeParser<string>('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body === '') done(null, undefined);
    else void parse(request, body, done);
  });
}

function aboutDeliveries(api: FastifyInstance, desk: () => ApiDesk): void {
  api.get('/deliveries', async ({ query }) => {
    const { limit, before, state, platform } = checked(deliveriesQuestion, query);
    const page = await desk().deliveries.list({
      most: limit,
      before,
      where: (delivery) =>
        (state ?? delivery.state) === delivery.state && (platform ?? delivery.platform) === delivery.platform,
    });
    return pageBody('deliveries', page, deliveryBody);
  });

  api.get('/deliveries/:name', async ({ params, query }) => {
    const { name } = named(deliveryPath, params);
    checked(nothing, query);
    const { deliveries, runs } = desk();
    const delivery = await deliveries.get(name);
    if (delivery === undefined) throw Refusal.notFound();
    const ids = new Set(delivery.results.flatMap(({ run }) => (run === undefined ? [] : [run])));
    const found = await Promise.all([...ids].map((id) => runs.get(id)));
    return { ...deliveryBody(delivery), runs: found.filter((run): run is Run => run !== undefined).map(runBody) };
  });

  api.post('/deliveries/:name/replay', async ({ params, query }, reply) => {
    const { name } = named(deliveryPath, params);
    checked(nothing, query);
    const replayed = await desk().deliveries.replay(name);
    switch (replayed) {
      case 'accepted':
        return await reply.code(202).send({ state: 'received' });
      case 'nothing':
        throw Refusal.conflict('the delivery concerns no ticket of a project');
      case 'full':
        throw Refusal.comeAgain('inbox_full');
      case undefined:
        throw Refusal.notFound();
      default:
        return replayed satisfies never;
    }
  });
}

function aboutRuns(api: FastifyInstance, desk: () => ApiDesk): void {
  api.get('/runs', async ({ query }) => {
    const { limit, ...question } = checked(runsQuestion, query);
    return pageBody('runs', await desk().runs.list({ most: limit, ...question }), runBody);
  });

  api.get('/runs/:id', async ({ params, query }) => {
    const { id } = named(runPath, params);
    const wanted = checked(runQuestion, query);
    const { runs, decisions, deliveries, waiting } = desk();
    const run = await runs.get(id);
    if (run === undefined) throw Refusal.notFound();
    const [attempts, waits, decided, delivery, result, output] = await Promise.all([
      runs.attempts(id),
      waiting(run),
      decisions.ofTicket(run.ticket, MOST_DECISIONS),
      run.delivery === undefined ? undefined : deliveries.get(run.delivery),
      runs.result(id),
      wanted.output === '1' ? runs.output(id) : undefined,
    ]);
    // Those of the ticket's other runs are theirs to tell.
    const own = decided.filter((decision) => (decision.run ?? id) === id);
    return wholeRunBody(run, { attempts, waits, decisions: own, delivery, result, output });
  });
}

function aboutEnds(api: FastifyInstance, desk: () => ApiDesk): void {
  api.post('/runs/:id/cancel', async ({ params, query, body }, reply) => {
    const { id } = named(runPath, params);
    checked(nothing, query);
    const { by } = checked(cancelQuestion, body ?? {});
    const asked = desk();
    const run = await asked.runs.get(id);
    if (run === undefined) throw Refusal.notFound();
    const answer = await asked.cancel(run, by);
    switch (answer.kind) {
      case 'cancelled':
        return { state: 'cancelled', cancel_requested: answer.by };
      case 'requested':
        return await reply.code(202).send({ state: answer.state, cancel_requested: answer.by });
      case 'told':
        throw Refusal.conflict(`the run has ended: ${answer.end.state}`);
      case 'ended':
        throw Refusal.conflict(`the run has ended: ${answer.state}`);
      case 'unknown':
        throw Refusal.notFound();
      default:
        return answer satisfies never;
    }
  });

  api.post('/runs/:id/retry', async ({ params, query }) => {
    const { id } = named(runPath, params);
    checked(nothing, query);
    const asked = desk();
    const run = await asked.runs.get(id);
    if (run === undefined) throw Refusal.notFound();
    if (!isTerminal(run.state)) throw Refusal.conflict(`the run has not ended: ${run.state}`);
    if (!(await asked.runs.isCurrent(run))) throw Refusal.conflict('the ticket has a newer run');
    if (!asked.canClaim(run)) throw Refusal.conflict(`project ${run.project} is gone or watches another source by now`);
    return await claimed(asked, { project: run.project, ticketId: run.ticketId }, true);
  });
}

/** What came of a claim that a person asked for. */
async function claimed(desk: ApiDesk, ticket: TicketChoice, again: boolean): Promise<object> {
  const outcome = await desk.claim(ticket, again);
  if (outcome.kind === 'rejected' && outcome.reason === 'unknown-project') throw Refusal.notFound(outcome.detail);
  if (outcome.kind === 'failed' && outcome.failure === 'redis-unavailable')
    throw Refusal.comeAgain('redis_unavailable');
  return outcomeBody(outcome);
}

function aboutTickets(api: FastifyInstance, desk: () => ApiDesk): void {
  api.post('/claims', async ({ body, query }) => {
    checked(nothing, query);
    const { project, ticket } = checked(claimQuestion, body);
    const asked = desk();
    return await claimed(asked, pick(asked, project, ticket), false);
  });

  api.get('/explain', async ({ query }) => {
    const { project, ticket, trigger } = checked(explainQuestion, query);
    const asked = desk();
    return await asked.explain(pick(asked, project, ticket), trigger);
  });
}

function pick(desk: ApiDesk, project: string, ticket: string): TicketChoice {
  const choice = desk.pickTicket(project, ticket);
  switch (choice) {
    case 'no-project':
      throw Refusal.notFound('no such project in the configuration');
    case 'no-ticket':
      throw Refusal.badRequest([
        { field: 'ticket', problem: 'no ticket of this project: give its number, key or URL' },
      ]);
    default:
      return choice;
  }
}

/** @throws Refusal unless the request carries the token. */
function letIn(request: FastifyRequest, token: string | undefined): void {
  if (token === undefined) throw Refusal.notFound();
  if (!isSameSecret(bearerOf(request), token)) throw Refusal.unauthorized();
}

/** Undefined for what nobody expected. */
function refusalOf(error: unknown): Refusal | undefined {
  if (error instanceof Refusal) return error;
  if (error instanceof OperationError) return Refusal.comeAgain('redis_unavailable');
  // A body that is no JSON, or none where one has to be.
  const status = (error as { readonly statusCode?: number }).statusCode ?? 500;
  const problem = status === 415 ? 'send JSON, with the header content-type: application/json' : messageOf(error);
  return status < 500 ? Refusal.badRequest([{ field: 'body', problem }]) : undefined;
}

async function refuse(
  reply: FastifyReply,
  refusal: Refusal | undefined,
  error: unknown,
  log: Log,
): Promise<FastifyReply> {
  if (refusal === undefined) {
    log.error({ error: messageOf(error) }, 'api request failed');
    return await reply.code(500).send({ error: 'internal error' });
  }
  if (refusal.status === 401) void reply.header('www-authenticate', 'Bearer');
  if (refusal.status === 503) {
    log.debug({ error: messageOf(error) }, 'api request refused');
    void reply.header('retry-after', RETRY_AFTER_SECONDS);
  }
  return await reply.code(refusal.status).send(refusal.body);
}
