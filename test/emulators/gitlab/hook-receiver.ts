/** Whoever listens at the address of a webhook: keeps what comes, and answers what it is told to. */
import { onTestFinished } from 'vitest';
import type { WebhookRequest } from '../../../src/platforms/webhook.ts';
import { startLoopbackServer } from '../../platforms/loopback-server.ts';

export interface HookReceiver {
  readonly url: string;
  /** In the order of their ends. */
  readonly received: WebhookRequest[];
  /** What it answers from now on. */
  status: number;
}

export async function hookReceiver(): Promise<HookReceiver> {
  const received: WebhookRequest[] = [];
  const server = await startLoopbackServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      received.push({ headers: request.headers, body: Buffer.concat(chunks) });
      response.writeHead(receiver.status).end();
    });
  });
  onTestFinished(() => server[Symbol.asyncDispose]());
  const receiver: HookReceiver = { url: `${server.origin}/webhook/gitlab`, received, status: 202 };
  return receiver;
}
