/**
 * Has a service do the work of an attempt: one POST, again and again under the same key until the service says what came of it,
 * in its answer or by a callback.
 *
 *   open mailbox (callback) --> post --> told ----------------------------> reported
 *                                 |  --> refused -------------------------> reported, failed
 *                                 |  --> broken, not now --> pause --> post
 *                                 |  --> accepted --> wait for the callback --> reported
 *
 * It is adoptable: the work lives in the service. A worker that dies or lets go leaves it there, and the next attempt posts the
 * same key: a service that keeps to the key does the work once (docs/runners/http.md). What a callback told meanwhile waits in
 * Redis and is found before anything is posted.
 *
 * Nothing is sent and no time is up while this attempt cannot be sure that the run is its own: a later one may have the work in
 * hand, which a message of ours would end, or the run may be over, and the service has forgotten its key.
 *
 * A crash at any step leaves behind what the next attempt asks about: nothing here is remembered but the lines for people.
 */
import { endOfTold, type Told } from '../../../domain/told.ts';
import { unreachable } from '../../../foundation/errors.ts';
import type { Log } from '../../../foundation/log.ts';
import { sleep } from '../../../foundation/loop.ts';
import { REDACTED, type Redactor } from '../../../foundation/redactor.ts';
import type { CallbackRecords } from '../../../runs/callback-records.ts';
import { createTrust } from '../../trust.ts';
import type { Runner, RunnerEnd, RunnerHandle, StopReason } from '../runner.ts';
import { createAddressRule } from './address-rule.ts';
import { openConnector } from './connector.ts';
import { exchange } from './exchange.ts';
import { judgeAnswer, type Verdict } from './judge-answer.ts';
import { type Mailbox, openMailbox } from './mailbox.ts';
import {
  type Callback,
  cancelledMessage,
  type EndedBecause,
  type HttpRequest,
  headersOf,
  type Message,
  requestedMessage,
} from './message.ts';
import { createNotes } from './notes.ts';

export interface HttpRunnerDeps {
  readonly callbacks: Pick<CallbackRecords, 'open' | 'onTold'>;
  readonly redactor: Pick<Redactor, 'redact'>;
  readonly log: Log;
}

export interface HttpRunnerOptions {
  /** How often a callback is looked for, apart from being told of it. */
  readonly heartbeatMs: number;
  readonly httpRetryMs: number;
  readonly httpRetryMaxMs: number;
  readonly httpNoticeMs: number;
  readonly trustTermMs: number;
}

type Reported = Extract<RunnerEnd, { kind: 'reported' }>;
type Ending = Omit<Reported, 'outputTail'>;

export function createHttpRunner(deps: HttpRunnerDeps, options: HttpRunnerOptions): Runner<HttpRequest> {
  return { leashed: false, start: (request) => startAttempt(request, deps, options) };
}

function startAttempt(request: HttpRequest, deps: HttpRunnerDeps, options: HttpRunnerOptions): RunnerHandle {
  const { http, timeoutMs } = request;
  const trust = createTrust({ ...options, startedAt: request.trustedSince });
  const stopping = new AbortController();
  /** Of everything that is under way. */
  const over = new AbortController();
  const connector = openConnector(createAddressRule(http.allowAddresses));
  const mailbox = http.result === 'callback' ? openMailboxOf(request, deps, options, over.signal) : undefined;
  const notes = createNotes(deps.redactor, mailbox === undefined ? [] : [mailbox.token]);
  let stopReason: StopReason | undefined;
  let isAsked = request.attempt > 1;

  /** Also without the token: what a service answers is shown to everybody who reads the ticket. */
  const withoutSecrets = (text: string): string =>
    deps.redactor.redact(mailbox === undefined ? text : text.replaceAll(mailbox.token, REDACTED));

  const send = async (message: Message, signal: AbortSignal): Promise<Verdict> => {
    const headers = headersOf(message, request, new Date());
    const sent = await exchange({ url: http.url, headers, body: message.body }, await connector, signal);
    switch (sent.kind) {
      case 'answered':
        notes.add(`answered ${sent.answer.status}`);
        return judgeAnswer(sent.answer, http.result, Date.now(), withoutSecrets);
      case 'broken':
        return { kind: 'again', why: sent.why };
      case 'refused':
        return sent;
      default:
        return unreachable(sent);
    }
  };

  /** Resolves when this attempt is certainly the run's, or the signal aborts. */
  const untilTrusted = async (signal: AbortSignal): Promise<void> => {
    if (trust.trusted()) return;
    notes.add('waits for a heartbeat that is accepted: until then another attempt may have the run');
    while (!trust.trusted() && (await sleep(options.heartbeatMs, signal)));
  };

  /** Asks until the service has answered for good; undefined when it is over before. */
  const converse = async (): Promise<Ending | undefined> => {
    if (mailbox !== undefined && !(await mailbox.opened())) return undefined;
    const message = requestedMessage(request, new Date(), callbackOf(request, mailbox));
    let pauseMs = options.httpRetryMs;
    while (!over.signal.aborted) {
      await untilTrusted(over.signal);
      if (over.signal.aborted) break;
      isAsked = true;
      notes.add(`POST to ${new URL(http.url).host}`);
      const verdict = await send(message, over.signal);
      if (over.signal.aborted) break;
      switch (verdict.kind) {
        case 'told':
          return endingOf(verdict.told);
        case 'refused':
          return { kind: 'reported', done: false, reason: verdict.reason };
        case 'accepted':
          notes.add('accepted, waiting for the callback');
          pauseMs = options.httpRetryMs;
          await mailbox?.lost();
          notes.add('Redis lost data, and perhaps the result: the service is asked again');
          break;
        case 'again': {
          const waitMs = Math.max(pauseMs, verdict.waitMs ?? 0);
          pauseMs = Math.min(pauseMs * 2, options.httpRetryMaxMs);
          notes.add(`no result (${verdict.why}), asked again in ${Math.ceil(waitMs / 1000)} s`);
          await sleep(waitMs, over.signal);
          break;
        }
        default:
          return unreachable(verdict);
      }
    }
    return undefined;
  };

  const endingOf = (told: Told): Ending => {
    if (told.problem !== undefined) notes.add(told.problem);
    const { state, ...end } = endOfTold(told);
    return { kind: 'reported', done: state === 'completed', ...end };
  };

  /** Resolves when it has been told by a callback; never where there is none. */
  const calledBack = async (): Promise<Ending> => {
    const told = await (mailbox?.told ?? new Promise<never>(() => undefined));
    notes.add('called back');
    return endingOf(told);
  };

  /** Once, as best as it goes: whoever does not hear it learns it when it calls back. */
  const tellOfEnd = async (because: EndedBecause): Promise<void> => {
    if (!isAsked) return;
    if (!trust.trusted()) return notes.add('the service was not told of the end: another attempt may have the run');
    notes.add(`tells the service that the run has ended: ${because}`);
    const verdict = await send(
      cancelledMessage(request, new Date(), because),
      AbortSignal.timeout(options.httpNoticeMs),
    );
    if (verdict.kind === 'again') notes.add(`the service was perhaps not told: ${verdict.why}`);
  };

  /** A result that is there counts, though nobody has heard of it yet. */
  const lastLook = async (): Promise<Ending | undefined> => {
    const told = await mailbox?.look();
    return told === undefined ? undefined : endingOf(told);
  };

  const stopped = async (reason: StopReason): Promise<RunnerEnd | Ending> => {
    if (reason !== 'cancelled') return { kind: 'stopped', reason, outputTail: '' };
    const ending = await lastLook();
    if (ending !== undefined) return ending;
    await tellOfEnd('cancelled');
    return { kind: 'stopped', reason, outputTail: '' };
  };

  const timedOut = async (): Promise<RunnerEnd | Ending> => {
    await untilTrusted(stopping.signal);
    if (stopReason !== undefined) return await stopped(stopReason);
    const ending = await lastLook();
    if (ending !== undefined) return ending;
    await tellOfEnd('timed-out');
    return { kind: 'timed-out', timeoutMs, outputTail: '' };
  };

  const run = async (): Promise<RunnerEnd> => {
    const until = sleep(timeoutMs, stopping.signal);
    try {
      const ending = await Promise.race([converse(), calledBack(), until.then(() => undefined)]);
      over.abort();
      const end = ending ?? (await (stopReason === undefined ? timedOut() : stopped(stopReason)));
      return { ...end, outputTail: notes.text() };
    } finally {
      over.abort();
      stopping.abort();
      await (await connector).destroy();
    }
  };

  return {
    ended: run(),
    beat: (sentAt) => trust.renew(sentAt),
    spare: () => undefined,
    stop(reason) {
      stopReason ??= reason;
      stopping.abort();
    },
  };
}

function openMailboxOf(
  request: HttpRequest,
  { callbacks, log }: HttpRunnerDeps,
  { heartbeatMs }: HttpRunnerOptions,
  signal: AbortSignal,
): Mailbox {
  const { run, attempt, fence, timeoutMs, ticket } = request;
  const name = { run, ticket: ticket.key, attempt, fence };
  return openMailbox({ records: callbacks, log }, { name, timeoutMs, lookMs: heartbeatMs, signal });
}

function callbackOf({ run, attempt, http }: HttpRequest, mailbox: Mailbox | undefined): Callback | undefined {
  if (mailbox === undefined) return undefined;
  return { url: `${http.callbackUrl ?? ''}/callback/${run}/${attempt}`, token: mailbox.token };
}
