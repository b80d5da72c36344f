/**
 * How a platform's webhooks are proven and read. Pure: nothing here asks anybody anything, so a delivery can be taken
 * while the platform itself is away, and nothing in it is believed but that it came from somebody who knows the secret.
 *
 * The same happening is the same news on every platform, whatever its payloads look like:
 *
 *   opened               its labels are in `labels`; `added` is empty, though a platform may tell of each label besides
 *   label put on, off    in `added`, `removed`; what differs in letter case alone has not changed
 *   comment              `about: 'comment'`, also where it is told once more as a change of its ticket; `ownComment` by
 *                        its end
 *   closed, reopened     in `open`; undefined where which states are open is the project's to say
 *   deleted, moved away  `open: false`: its id leads nowhere from now on
 *   pull request         a `link` to the tickets that it closes, of which it says nothing else
 *   nothing of these     `unsupported-event`; of a kind that is about tickets, but names none: `no-ticket`
 *
 * Where it happened plays no part in what it says: that is for whoever routes it.
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
  /**
   * Whether the request proves that its sender knows the secret. In constant time; false when there is no proof at all, and
   * for an empty secret.
   */
  provesSecret(request: WebhookRequest, secret: string): boolean;
  /**
   * Reads a request that has been proven.
   * @throws UnreadableWebhook for what is no JSON object. Any JSON object, however strange, is read as some message.
   */
  read(request: WebhookRequest): WebhookMessage;
  /** Why nothing can ever prove this secret here, in words that do not repeat it; undefined when something can. */
  secretProblem?(secret: string): string | undefined;
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

/** The password of Basic authentication, whatever the user; undefined when there is none. */
export function passwordOf(request: WebhookRequest): string | undefined {
  const [, encoded = ''] = /^basic +([\w+/=-]+)$/i.exec(headerOf(request, 'authorization') ?? '') ?? [];
  const [, ...password] = Buffer.from(encoded, 'base64').toString().split(':');
  return password.length === 0 ? undefined : password.join(':');
}

/** Whether `header` is `sha256=<hex of the HMAC of the body>`. */
export function provesByHmac(request: WebhookRequest, header: string, secret: string): boolean {
  const given = headerOf(request, header);
  if (given === undefined || secret === '') return false;
  const signature = `sha256=${createHmac('sha256', secret).update(request.body).digest('hex')}`;
  // How long a signature is, is no secret.
  const [one, other] = [Buffer.from(given), Buffer.from(signature)];
  return one.length === other.length && timingSafeEqual(one, other);
}
