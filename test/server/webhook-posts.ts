/** Requests over real HTTP to webhook routes on a bare server: well-formed ones, and bytes on a socket. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { Pool } from 'undici';
import { onTestFinished } from 'vitest';
import { createHttpApp } from '../../src/server/http-app.ts';
import { type WebhookRoutesDeps, type WebhookRoutesOptions, webhookRoutes } from '../../src/server/webhook-routes.ts';
import { silentLog } from '../support/house.ts';

export interface Post {
  readonly headers?: Readonly<Record<string, string | string[]>>;
  /** Chunks are sent without a length. */
  readonly body?: Buffer | string | Readable;
  readonly method?: 'POST' | 'GET' | 'HEAD' | 'PUT' | 'DELETE' | 'OPTIONS';
}

export interface PostAnswer {
  readonly status: number;
  readonly retryAfter: string | undefined;
  readonly json: Readonly<Record<string, unknown>>;
}

export interface Door {
  readonly port: number;
  post(path: string, request?: Post): Promise<PostAnswer>;
  /** A connection, for what no HTTP client would send. */
  socket(): Promise<Socket>;
}

export type Receiver = NonNullable<ReturnType<WebhookRoutesDeps['receiver']>>;

/** The routes on a server of their own. Both are closed with the test. */
export async function openRoutes(
  receiver: Receiver | undefined,
  { leaving = () => false, ...options }: Partial<WebhookRoutesOptions & WebhookRoutesDeps> = {},
): Promise<Door> {
  const app = createHttpApp();
  webhookRoutes({ receiver: () => receiver, leaving, log: silentLog }, { path: '/webhook', ...options })(app);
  const origin = await app.listen({ host: '127.0.0.1', port: 0 });
  onTestFinished(() => app.close());
  return doorOf(Number(new URL(origin).port));
}

export function doorOf(port: number): Door {
  const pool = new Pool(`http://127.0.0.1:${port}`, { connections: 16 });
  onTestFinished(() => pool.close());
  return {
    port,
    async post(path, { headers = {}, body, method = 'POST' } = {}) {
      const answer = await pool.request({ path, method, headers, body: body ?? null });
      const said = await answer.body.text();
      return {
        status: answer.statusCode,
        retryAfter: answer.headers['retry-after']?.toString(),
        json: said === '' ? {} : (JSON.parse(said) as Record<string, unknown>),
      };
    },
    async socket() {
      const socket = connect(port, '127.0.0.1');
      onTestFinished(() => void socket.destroy());
      await once(socket, 'connect');
      return socket;
    },
  };
}

/** The bytes of a request. */
export function rawPost(path: string, body: Buffer | string, headers: readonly string[] = []): Buffer {
  const lines = [`POST ${path} HTTP/1.1`, 'Host: x', `Content-Length: ${Buffer.byteLength(body)}`, ...headers];
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`), Buffer.from(body)]);
}

/** All that comes until the connection is closed, in whichever way: what a server leaves unread resets it. */
export async function answersOn(socket: Socket): Promise<string> {
  let said = '';
  socket.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  socket.on('error', () => undefined);
  await new Promise((resolve) => {
    socket.once('close', resolve);
  });
  return said;
}

/** The statuses of answers on one connection, in order. */
export const statusesIn = (said: string): number[] =>
  [...said.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status));
