/** One request to a service and what comes of it: an answer, or the reason why there is none. Redirects are not followed. */
import type { Dispatcher } from 'undici';
import { messageOf } from '../../../foundation/errors.ts';
import { AddressRefused } from './connector.ts';
import { type Answer, MOST_ANSWER_BYTES } from './judge-answer.ts';

export interface Sending {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export type Exchange =
  | { readonly kind: 'answered'; readonly answer: Answer }
  /** Whether it has arrived is not known; `why` is a word group. */
  | { readonly kind: 'broken'; readonly why: string }
  /** Nothing was sent, and asking again would change nothing; `reason` is a sentence for people. */
  | { readonly kind: 'refused'; readonly reason: string };

/** Codes by which Node says that a certificate does not prove the host. Time does not heal them; whoever runs the service does. */
const UNPROVEN = /^(?:CERT_|SELF_SIGNED_|DEPTH_ZERO_|UNABLE_TO_|ERR_TLS_CERT_)/;

/** Never rejects. Ends as `broken` soon after the signal aborts. */
export async function exchange(sending: Sending, dispatcher: Dispatcher, signal: AbortSignal): Promise<Exchange> {
  const { url, headers, body } = sending;
  try {
    const { origin, pathname, search } = new URL(url);
    const path = `${pathname}${search}`;
    const answer = await dispatcher.request({ origin, path, method: 'POST', headers, body, signal });
    return {
      kind: 'answered',
      answer: { status: answer.statusCode, headers: firstOf(answer.headers), body: await textOf(answer.body) },
    };
  } catch (error) {
    if (error instanceof AddressRefused) return { kind: 'refused', reason: error.message };
    const { code } = error as { readonly code?: unknown };
    if (typeof code === 'string' && UNPROVEN.test(code)) {
      return { kind: 'refused', reason: `The certificate of the service does not prove its host (${code}).` };
    }
    return { kind: 'broken', why: messageOf(error) };
  }
}

/** Undefined when there is more than anybody reads. */
async function textOf(body: AsyncIterable<Buffer>): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > MOST_ANSWER_BYTES) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

function firstOf(
  headers: Readonly<Record<string, string | string[] | undefined>>,
): Readonly<Record<string, string | undefined>> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value[0] : value]),
  );
}
