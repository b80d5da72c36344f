/**
 * Opens the clients of one connection, to a standalone server, through Sentinel or in a cluster. What they have in
 * common: they notice a server that hangs without closing its sockets, leave one that is not the master any more, and
 * come back by themselves.
 */
import { Redis, type RedisOptions } from 'ioredis';
import { messageOf } from '../foundation/errors.ts';
import type { Log } from '../foundation/log.ts';
import type { RedisTarget } from './address.ts';
import { slotOwnerConnector } from './slot-owner.ts';

export interface ClientsOptions {
  readonly target: RedisTarget;
  /** Any key of ours. */
  readonly anyKey: string;
  readonly timing: { readonly redisCommandMs: number; readonly redisProbeMs: number; readonly redisSocketMs: number };
  /** How many more attempts the pause before the next one should count. */
  readonly extraAttempts: () => number;
  readonly onError: (message: string) => void;
  readonly log: Log;
}

export interface Clients {
  /** Connects in the background, and again whenever it was cut off, until it is closed. */
  open(name: string, extra: RedisOptions): Redis;
  /** Closes one for good. */
  close(client: Redis): void;
  closeAll(): void;
}

export function createClients(options: ClientsOptions): Clients {
  const { timing, log } = options;
  const { cluster, ...server } = options.target;
  const address: RedisOptions =
    cluster === undefined
      ? server
      : {
          ...server,
          Connector: slotOwnerConnector({ seeds: cluster, key: options.anyKey, answerMs: timing.redisCommandMs }),
        };
  const clients = new Set<Redis>();

  const open = (name: string, extra: RedisOptions): Redis => {
    const settings: RedisOptions = {
      ...address,
      connectionName: `agent-smith:${name}`,
      connectTimeout: timing.redisSocketMs,
      socketTimeout: timing.redisSocketMs,
      // A demoted master that keeps its connections answers reads for ever, and no write; in a cluster it says MOVED.
      reconnectOnError: ({ message }) => message.includes('READONLY') || message.startsWith('MOVED '),
      retryStrategy: (times) =>
        Math.min(50 * 2 ** Math.min(times + options.extraAttempts(), 6), timing.redisProbeMs * 2),
      ...extra,
    };
    const client = new Redis({ ...settings, replyMapping: 'legacy' });
    // Without a listener ioredis prints to the console; the state is what people look at.
    client.on('error', (error: unknown) => {
      const message = messageOf(error);
      options.onError(message);
      log.debug({ client: name, error: message }, 'redis client error');
    });
    // ioredis gives up for good when Sentinel tells of a failover while it is asking Sentinel for the master.
    client.on('end', () => {
      if (!clients.has(client)) return;
      client.connect().catch((error: unknown) => log.debug({ client: name, error: messageOf(error) }, 'not connected'));
    });
    clients.add(client);
    return client;
  };

  const close = (client: Redis): void => {
    // Disconnecting twice would keep ioredis waiting for a socket that is closed already.
    if (clients.delete(client)) client.disconnect();
  };

  return { open, close, closeAll: () => clients.forEach(close) };
}
