/**
 * How a platform's webhooks are proven and read. Pure: nothing here asks anybody anything, so a delivery can be taken
 * while the platform itself is away, and nothing in it is believed but that it came from somebody who knows the secret.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { IgnoredReason, Place, TicketNews } from '../domain/ticket-news.ts';

export interface WebhookRequest {
  /** By names in lower case. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** As it came: signatures are made over these bytes. */
  readonly body: Buffer;
}

/** A delivery as its platform tells it; what it does not tell is undefined. */
export interface WebhookMessage {
  /** The platform's own id of the delivery, the same when it is sent again. */
  readonly id: string | undefined;
  /** Id of the hook or subscription: one event may be sent by several of them, each under the same id. */
  readonly hook: string | undefined;
  /** For example `issues`, `workitem.updated`. */
  readonly event: string;
  /** For example `labeled`. */
  readonly action: string | undefined;
  /** Id of the App's installation. */
  readonly installation?: string | undefined;
  readonly place: Place | undefined;
  /** What it says about tickets, or why it says nothing. */
  readonly news: TicketNews | Extract<IgnoredReason, 'ping' | 'unsupported-event' | 'no-ticket'>;
}

export interface WebhookDialect {
  /** Every delivery carries an id: one without it is refused. Elsewhere an id is derived from source and payload. */
  readonly alwaysHasId: boolean;
  /** Whether the request proves that its sender knows the secret. In constant time; false when there is no proof at all. */
  provesSecret(request: WebhookRequest, secret: string): boolean;
  /**
   * Reads a request that has been proven.
   * @throws UnreadableWebhook for what is no JSON object. Any JSON object, however strange, is read as some message.
   */
  read(request: WebhookRequest): WebhookMessage;
}

/** The body is not what this platform sends. The message says what is wrong and quotes nothing of it. */
export class UnreadableWebhook extends Error {
  constructor(problem: string) {
    super(problem);
    this.name = 'UnreadableWebhook';
  }
}

/** A header's one value; undefined when it is missing, empty or there twice. */
export function headerOf({ headers }: WebhookRequest, name: string): string | undefined {
  const value = headers[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** The body as a JSON object. @throws UnreadableWebhook */
export function jsonObjectIn(text: Buffer | string): Readonly<Record<string, unknown>> {
  let data: unknown;
  try {
    data = JSON.parse(text.toString());
  } catch {
    throw new UnreadableWebhook('the body is no JSON');
  }
  if (typeof data !== 'object' || data === null || Array.isArray(data)) {
    throw new UnreadableWebhook('the body is no JSON object');
  }
  return data as Readonly<Record<string, unknown>>;
}

/** Compares texts in a time that says nothing about where they differ. */
export function isSameSecret(given: string, secret: string): boolean {
  // Of equal length, whatever was sent: the comparison refuses anything else.
  const digest = (text: string): Buffer => createHmac('sha256', 'compare').update(text).digest();
  return timingSafeEqual(digest(given), digest(secret));
}

/** Whether `header` is `sha256=<hex of the HMAC of the body>`. */
export function provesByHmac(request: WebhookRequest, header: string, secret: string): boolean {
  const given = headerOf(request, header);
  if (given === undefined) return false;
  return isSameSecret(given, `sha256=${createHmac('sha256', secret).update(request.body).digest('hex')}`);
}
