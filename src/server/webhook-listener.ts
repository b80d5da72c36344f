/**
 * The listener for webhooks alone, where the configuration asks for one: it may be reached from outside while health,
 * metrics and the API may not. A port that is taken is tried again, so that it comes back by itself.
 */
import type { FastifyInstance } from 'fastify';
import { messageOf, OperationError } from '../foundation/errors.ts';
import type { Log } from '../foundation/log.ts';
import { every } from '../foundation/loop.ts';
import { createHttpApp } from './http-app.ts';

/** The problem in words, without an address. */
export type ListenerState = 'up' | { readonly problem: string };

export interface WebhookListener {
  /** Tries once. Throws when the port cannot be listened on. */
  start(): Promise<void>;
  /** Tries until it listens, is closed or the signal aborts. Never throws. */
  keepTrying(signal: AbortSignal): Promise<void>;
  state(): ListenerState;
  /** Answers what is under way, then closes for good. */
  close(): Promise<void>;
}

export interface WebhookListenerOptions {
  readonly host: string;
  readonly port: number;
  readonly retryMs: number;
  /** Within which a request has to be there; default half a minute. */
  readonly requestTimeoutMs?: number;
}

const CLOSED: ListenerState = { problem: 'closed' };

export function createWebhookListener(
  mount: (app: FastifyInstance) => void,
  options: WebhookListenerOptions,
  log: Log,
): WebhookListener {
  const { host, port } = options;
  const closing = new AbortController();
  let app: FastifyInstance | undefined;
  let state: ListenerState = { problem: 'not started' };
  let opening: Promise<unknown> = Promise.resolve();

  const open = async (): Promise<void> => {
    // An instance that could not listen cannot be used again.
    const opened = createHttpApp(options.requestTimeoutMs);
    mount(opened);
    try {
      await opened.listen({ host, port });
    } catch (error) {
      const { code = 'no reason given' } = error as { readonly code?: string };
      state = { problem: `port ${port} cannot be listened on (${code})` };
      await opened.close();
      throw new OperationError(`listen for webhooks on port ${port} (webhooks.listen_port)`, error);
    }
    app = opened;
    state = 'up';
    log.info({ port }, 'listening for webhooks');
  };
  const start = async (): Promise<void> => {
    const attempt = open();
    opening = Promise.allSettled([attempt]);
    await attempt;
  };

  return {
    start,
    state: () => (closing.signal.aborted ? CLOSED : state),
    async keepTrying(signal) {
      const listening = new AbortController();
      let isTold = false;
      await every(
        {
          intervalMs: options.retryMs,
          signal: AbortSignal.any([signal, closing.signal, listening.signal]),
          onError: (error) => {
            log[isTold ? 'debug' : 'warn']({ error: messageOf(error) }, 'webhook listener cannot listen yet');
            isTold = true;
          },
        },
        async () => {
          await start();
          listening.abort();
        },
      );
    },
    async close() {
      closing.abort();
      // What is being opened at this moment has to be closed as well.
      await opening;
      await app?.close();
    },
  };
}
