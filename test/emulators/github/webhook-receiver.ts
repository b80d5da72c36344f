/** Where an emulated GitHub sends its webhooks: takes everything, and answers as it is told. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { onTestFinished } from 'vitest';
import type { WebhookRequest } from '../../../src/platforms/webhook.ts';
import { startLoopbackServer } from '../../platforms/loopback-server.ts';

export interface WebhookReceiver {
  readonly url: string;
  /** In the order of their arrival. */
  readonly received: WebhookRequest[];
  /** What it answers from now on; 202 at first. */
  status: number;
}

export async function webhookReceiver(): Promise<WebhookReceiver> {
  const take = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    receiver.received.push({ headers: request.headers, body: await buffer(request) });
    response.writeHead(receiver.status).end();
  };
  const server = await startLoopbackServer((request, response) => void take(request, response));
  onTestFinished(() => server[Symbol.asyncDispose]());
  const receiver: WebhookReceiver = { url: `${server.origin}/webhook/github`, received: [], status: 202 };
  return receiver;
}
