/**
 * What a service is sent, pure: JSON with the ticket and the attempt, signed by the rules of Standard Webhooks
 * (https://www.standardwebhooks.com). The run is the key under which a service does the work once, however often it is asked.
 */
import { Webhook } from 'standardwebhooks';
import type { Ticket } from '../../../domain/ticket.ts';
import { ticketFields } from '../describe-ticket.ts';
import type { RunnerRequest } from '../runner.ts';

/** A service as the pipeline names it. */
export interface HttpSpec {
  readonly url: string;
  /** Sent along; none of them is one of ours. */
  readonly headers: Readonly<Record<string, string>>;
  /** `whsec_...`, newest first: each signs, so that a service may change over to the new one at any time. */
  readonly secrets: readonly string[];
  /** Whether the answer tells the result, or a later call of ours. */
  readonly result: 'answer' | 'callback';
  /** Under which our listener is reached by the service; without a slash at the end. Always there for `callback`. */
  readonly callbackUrl?: string;
  /** Addresses and ranges beside those of the public internet that the service may have. */
  readonly allowAddresses: readonly string[];
}

export interface HttpRequest extends RunnerRequest {
  readonly http: HttpSpec;
}

export interface Message {
  /** Stays the same however often the message is sent. */
  readonly id: string;
  /** JSON text. */
  readonly body: string;
}

/** Where and how a service tells its result. */
export interface Callback {
  readonly url: string;
  /** Good for this attempt of this run alone. */
  readonly token: string;
}

/** Why a service need not go on: people want no more of it, its time is up, or the run has failed without it. */
export type EndedBecause = 'cancelled' | 'timed-out' | 'given-up';

/** A run that a service was asked for, as it is told of the end. */
export type EndedRun = Pick<RunnerRequest, 'run' | 'attempt' | 'fence' | 'project' | 'pipeline' | 'platform'> & {
  readonly ticket: Pick<Ticket, 'key' | 'id' | 'url'>;
};

/** Headers that are ours: a pipeline cannot set them. */
export const OWN_HEADERS: ReadonlySet<string> = new Set([
  'content-type',
  'content-length',
  'content-encoding',
  'transfer-encoding',
  'accept',
  'accept-encoding',
  'connection',
  'expect',
  'host',
  'idempotency-key',
  'keep-alive',
  'te',
  'upgrade',
  'webhook-id',
  'webhook-timestamp',
  'webhook-signature',
]);

export function requestedMessage(request: HttpRequest, at: Date, callback: Callback | undefined): Message {
  const { run, attempt } = request;
  const type = 'agentsmith.run.requested';
  const told = callback === undefined ? {} : { callback };
  return {
    id: `${run}-${attempt}`,
    body: JSON.stringify({ type, timestamp: at.toISOString(), ...ticketFields(request), ...told }),
  };
}

/** Its work is not wanted any more. */
export function cancelledMessage(ended: EndedRun, at: Date, because: EndedBecause): Message {
  const { run, attempt, fence, project, pipeline, platform, ticket } = ended;
  const type = 'agentsmith.run.cancelled';
  const about = { key: ticket.key, id: ticket.id, url: ticket.url, project, pipeline, platform, run, attempt, fence };
  return {
    id: `${run}-${attempt}-cancelled`,
    body: JSON.stringify({ type, timestamp: at.toISOString(), reason: because, ...about }),
  };
}

/** All headers of one sending. Each is signed anew, because a service refuses what is older than a few minutes. */
export function headersOf(
  message: Message,
  request: Pick<HttpRequest, 'run' | 'http' | 'traceparent'>,
  at: Date,
): Record<string, string> {
  const { headers, secrets } = request.http;
  return {
    ...(request.traceparent !== undefined && { traceparent: request.traceparent }),
    // Lower case, and without the line break that a secret often has at its end.
    ...Object.fromEntries(new Headers(headers)),
    accept: 'application/json',
    'accept-encoding': 'identity',
    'content-type': 'application/json; charset=utf-8',
    'idempotency-key': request.run,
    'webhook-id': message.id,
    'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
    'webhook-signature': secrets.map((secret) => new Webhook(secret).sign(message.id, at, message.body)).join(' '),
  };
}
