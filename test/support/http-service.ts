/**
 * A service as docs/runners/http.md asks for one: it proves the signature with the real library, does the work of a run once
 * however often it is asked, and tells the result in its answer or by a callback. On demand it misbehaves, as services and the
 * proxies before them do.
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { Webhook } from 'standardwebhooks';
import { type Scope, thisTest } from './scope.ts';

export const SERVICE_SECRET = `whsec_${Buffer.from('a-signing-secret-of-the-tests-000').toString('base64')}`;

/** A request whose signature was right. */
export interface ServiceRequest {
  readonly headers: IncomingMessage['headers'];
  readonly body: ServiceBody;
}

export interface Callback {
  readonly url: string;
  readonly token: string;
}

interface ServiceBody extends Readonly<Record<string, unknown>> {
  readonly type: string;
  readonly run: string;
  readonly attempt: number;
  readonly title: string;
  readonly callback?: Callback;
}

export interface Exchanged extends ServiceRequest {
  readonly response: ServerResponse;
  /** Ends the connection without a further word. */
  cut(): void;
  json(status: number, value: unknown, headers?: Readonly<Record<string, string>>): void;
  text(status: number, text: string, headers?: Readonly<Record<string, string>>): void;
}

/** What it does with a request; the number counts the requests of the same run from 1. */
export type Behaviour = (exchanged: Exchanged, count: number) => void | Promise<void>;

export interface HttpService {
  readonly url: string;
  /** Requests for work, in order of arrival. */
  readonly requests: readonly ServiceRequest[];
  /** Messages that a run has ended. */
  readonly cancellations: readonly ServiceRequest[];
  /** Requests whose signature was wrong. */
  readonly unproven: () => number;
  /** Connections that are open. */
  readonly connections: () => number;
  behave(behaviour: Behaviour): void;
}

export interface HttpServiceOptions {
  readonly secret?: string;
  readonly scope?: Scope;
}

/** Answers `done` at once until it is told to behave otherwise. Closed when the test is over. */
export async function startHttpService(options: HttpServiceOptions = {}): Promise<HttpService> {
  const { secret = SERVICE_SECRET, scope = thisTest } = options;
  const signer = new Webhook(secret);
  const requests: ServiceRequest[] = [];
  const cancellations: ServiceRequest[] = [];
  const counts = new Map<string, number>();
  const sockets = new Set<Socket>();
  let unproven = 0;
  let behaviour: Behaviour = ({ json }) => json(200, { state: 'done' });

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const text = await textOf(request);
    try {
      signer.verify(text, request.headers as Record<string, string>);
    } catch {
      unproven += 1;
      response.writeHead(401).end();
      return;
    }
    const body = JSON.parse(text) as ServiceBody;
    const received: ServiceRequest = { headers: request.headers, body };
    if (body.type === 'agentsmith.run.cancelled') {
      cancellations.push(received);
      response.writeHead(204).end();
      return;
    }
    requests.push(received);
    const key = String(request.headers['idempotency-key']);
    const count = (counts.get(key) ?? 0) + 1;
    counts.set(key, count);
    const send: Exchanged['text'] = (status, words, headers = {}) => response.writeHead(status, headers).end(words);
    const exchanged: Exchanged = {
      ...received,
      response,
      cut: () => response.socket?.destroy(),
      text: send,
      json: (status, value, headers) =>
        send(status, JSON.stringify(value), { 'content-type': 'application/json', ...headers }),
    };
    await behaviour(exchanged, count);
  };

  const server = createServer((request, response) => {
    // Whoever asks may go away at any time.
    handle(request, response).catch(() => response.destroy());
  });
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  scope.onTestFinished(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/runs`,
    requests,
    cancellations,
    unproven: () => unproven,
    connections: () => sockets.size,
    behave: (next) => {
      behaviour = next;
    },
  };
}

/** Where a request asks for its result. */
export function callbackIn(request: ServiceRequest | undefined): Callback {
  const callback = request?.body.callback;
  if (callback === undefined) throw new Error('no callback was offered');
  return callback;
}

/** Tells a result as a service does. */
export async function callBack(
  { url, token }: Callback,
  result: unknown,
): Promise<{ readonly status: number; readonly json: Readonly<Record<string, unknown>>; readonly headers: Headers }> {
  const answer = await fetch(url, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', connection: 'close' },
    body: typeof result === 'string' ? result : JSON.stringify(result),
  });
  return { status: answer.status, json: (await answer.json()) as Record<string, unknown>, headers: answer.headers };
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}
