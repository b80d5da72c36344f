/** Where an emulated Jira sends its webhooks: takes everything, and answers as it is told. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { onTestFinished } from 'vitest';
import type { WebhookRequest } from '../../../src/platforms/webhook.ts';

export interface WebhookReceiver {
  readonly url: string;
  /** In the order of their arrival. */
  readonly received: readonly WebhookRequest[];
  /** The status of the next answers, one after the other; 202 when there is none. */
  readonly statuses: number[];
}

export async function webhookReceiver(): Promise<WebhookReceiver> {
  const received: WebhookRequest[] = [];
  const statuses: number[] = [];
  const take = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    received.push({ headers: request.headers, body: await buffer(request) });
    response.writeHead(statuses.shift() ?? 202).end();
  };
  const server = createServer((request, response) => void take(request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  });
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('the receiver has no port');
  return { url: `http://127.0.0.1:${address.port}/webhook/jira`, received, statuses };
}
