/** Where an emulated tracker sends its webhooks: takes everything, and answers as it is told. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { onTestFinished } from 'vitest';
import type { WebhookRequest } from '../../src/platforms/webhook.ts';
import { startLoopbackServer } from '../support/loopback-server.ts';

export interface WebhookReceiver extends AsyncDisposable {
  readonly url: string;
  /** In the order of their arrival. */
  readonly received: WebhookRequest[];
  /** What it answers from now on; 202 at first. */
  status: number;
  /** What the next ones are answered instead, one after the other. */
  readonly statuses: number[];
}

export async function openWebhookReceiver(): Promise<WebhookReceiver> {
  const take = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    receiver.received.push({ headers: request.headers, body: await buffer(request) });
    response.writeHead(receiver.statuses.shift() ?? receiver.status).end();
  };
  const server = await startLoopbackServer((request, response) => void take(request, response));
  const receiver: WebhookReceiver = {
    url: `${server.origin}/webhook`,
    received: [],
    status: 202,
    statuses: [],
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
  return receiver;
}

/** For one test. */
export async function webhookReceiver(): Promise<WebhookReceiver> {
  const receiver = await openWebhookReceiver();
  onTestFinished(() => receiver[Symbol.asyncDispose]());
  return receiver;
}
