/**
 * Tells a service that a run has ended which nobody is at work on: cancelled between two attempts, or given up. The same
 * message as that of an attempt, to the address that the run's pipeline names, by the same rule about addresses.
 */
import { createAddressRule } from './address-rule.ts';
import { openConnector } from './connector.ts';
import { exchange } from './exchange.ts';
import { saysNotNow } from './judge-answer.ts';
import { cancelledMessage, type EndedBecause, type EndedRun, type HttpSpec, headersOf } from './message.ts';

export interface EndNotice {
  readonly http: HttpSpec;
  readonly ended: EndedRun;
  readonly because: EndedBecause;
  /** When the run ended: however often the message is sent, it stays the same. */
  readonly at: Date;
}

/**
 * Undefined when the service has heard of it, whatever it thinks of that, or can never be asked; otherwise why it may not have,
 * a word group. Never rejects, and ends soon after the signal aborts.
 */
export async function tellOfEnd(
  { http, ended, because, at }: EndNotice,
  signal: AbortSignal,
): Promise<string | undefined> {
  const connector = await openConnector(createAddressRule(http.allowAddresses));
  try {
    const message = cancelledMessage(ended, at, because);
    const headers = headersOf(message, { run: ended.run, http }, new Date());
    const sent = await exchange({ url: http.url, headers, body: message.body }, connector, signal);
    if (sent.kind === 'broken') return sent.why;
    return sent.kind === 'answered' && saysNotNow(sent.answer.status) ? `status ${sent.answer.status}` : undefined;
  } finally {
    await connector.destroy();
  }
}
