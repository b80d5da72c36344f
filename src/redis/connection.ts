/**
 * The one place that connects to Redis.
 *
 * Two kinds of clients: the one for commands fails at once when Redis is away (an operator wants an answer, not a
 * queue), the ones for BullMQ's workers wait for ever. Both notice a server that hangs without closing its sockets.
 *
 * Every (re)connection is checked before anything else uses it: is this still the server that holds our data
 * (PROTOCOL 7)? Until that is answered, scripts are refused, so no claim can slip in between a failover and its notice.
 */
import { EventEmitter, once } from 'node:events';
import { Redis, type RedisOptions } from 'ioredis';
import { ulid } from 'ulid';
import { OperationError, messageOf } from '../foundation/errors.ts';
import type { Log } from '../foundation/log.ts';
import { every } from '../foundation/loop.ts';
import { createKeys, type Keys } from './keys.ts';
import { evalScript, type Reply } from './scripts.ts';

export interface RedisConnectionOptions {
  /** From `parseRedisUrl`. */
  readonly address: RedisOptions;
  readonly namespace: string;
  readonly timing: { readonly redisCommandMs: number; readonly redisProbeMs: number; readonly redisSocketMs: number };
  /** How long BullMQ blocks on an empty queue, in ms; the socket of its client must be allowed to be silent longer. */
  readonly blockMs: number;
  /** The server is ours and was started empty just now: finding no data means nothing was lost. */
  readonly freshServer?: boolean;
  readonly log: Log;
}

/** What is known about the connection; `since` in wall-clock ms. */
export interface RedisStatus {
  readonly state: 'up' | 'down';
  readonly reason: string;
  readonly sinceMs: number;
}

/** The server that holds our data. `since` is the moment (Redis TIME, ms) from which it has been trusted anew. */
export interface Incarnation {
  readonly id: string;
  readonly sinceMs: number;
}

export interface RedisConnection {
  readonly keys: Keys;
  status(): RedisStatus;
  /** Called on every change of `status().state`; returns the way to stop listening. */
  onChange(listener: (status: RedisStatus) => void): () => void;
  /** Resolves when the connection is up, false when the signal aborts first. */
  whenUp(signal: AbortSignal): Promise<boolean>;
  incarnation(): Incarnation | undefined;
  /** Number of times the connection came up: equal numbers mean unbroken contact. */
  readonly contacts: () => number;
  /** Runs a script and answers its reply as a list. Throws `OperationError` when Redis is away. */
  script(name: string, keys: readonly string[], args: readonly (string | number)[]): Promise<Reply>;
  /** Plain commands, for reads; refused like scripts while the connection is not checked. */
  read<T>(operation: string, command: (client: Redis) => Promise<T>): Promise<T>;
  /** Redis TIME in ms: the clock that all records use. */
  timeMs(): Promise<number>;
  /** A client for BullMQ: `wait` outlasts an outage (workers), `fail` does not (adding jobs). Closed with the connection. */
  queueClient(mode: 'wait' | 'fail'): Redis;
  /** Listens on a pub/sub channel until the signal aborts. Messages sent while Redis is away are lost, as ever. */
  subscribe(channel: string, listener: () => void, signal: AbortSignal): void;
  close(): Promise<void>;
}

export function createRedisConnection(options: RedisConnectionOptions): RedisConnection {
  const { timing, log } = options;
  const keys = createKeys({ namespace: options.namespace });
  const events = new EventEmitter();
  events.setMaxListeners(0);
  const stopped = new AbortController();
  const clients = new Set<Redis>();
  let status: RedisStatus = { state: 'down', reason: 'connecting', sinceMs: Date.now() };
  let incarnation: Incarnation | undefined;
  let contacts = 0;
  let lastError = 'connecting';

  const open = (name: string, extra: RedisOptions): Redis => {
    const settings: RedisOptions = {
      ...options.address,
      connectionName: `agent-smith:${name}`,
      connectTimeout: timing.redisSocketMs,
      socketTimeout: timing.redisSocketMs,
      retryStrategy: (times) => Math.min(50 * 2 ** Math.min(times, 6), timing.redisProbeMs * 2),
      ...extra,
    };
    const client = new Redis({ ...settings, replyMapping: 'legacy' });
    // Without a listener ioredis prints to the console; the state is what people look at.
    client.on('error', (error: unknown) => {
      lastError = messageOf(error);
      log.debug({ client: name, error: lastError }, 'redis client error');
    });
    clients.add(client);
    return client;
  };

  const setStatus = (state: RedisStatus['state'], reason: string): void => {
    if (status.state === state) {
      status = { ...status, reason };
      return;
    }
    status = { state, reason, sinceMs: Date.now() };
    if (state === 'up') {
      contacts += 1;
      log.info({ incarnation: incarnation?.id }, 'redis is up');
    } else {
      log.warn({ reason }, 'redis is unreachable');
    }
    events.emit('change', status);
  };

  const commands = open('commands', {
    enableOfflineQueue: false,
    maxRetriesPerRequest: 1,
    autoResendUnfulfilledCommands: false,
    commandTimeout: timing.redisCommandMs,
  });

  /** Looks whose data this is. Runs on the bare client: `script` is refused until it has succeeded. */
  const check = async (): Promise<void> => {
    const info = `${await commands.info('server')}\n${await commands.info('replication')}`;
    const field = (name: string): string => new RegExp(`^${name}:(\\S+)`, 'm').exec(info)?.[1] ?? '';
    const server = `${field('run_id')} ${field('master_replid')}`;
    const reply = (await evalScript(
      commands,
      'recover',
      [keys.incarnation],
      [server, ulid(), options.freshServer === true ? '1' : '0'],
    )) as string[];
    const [id = '', since = '0', what] = reply;
    if (what === 'changed') log.warn({ incarnation: id }, 'redis is another server than before, or has lost its data');
    incarnation = { id, sinceMs: Number(since) };
  };

  commands.on('close', () => {
    if (!stopped.signal.aborted) setStatus('down', lastError);
  });
  commands.on('ready', () => {
    check().then(
      () => {
        if (commands.status === 'ready') setStatus('up', 'connected');
      },
      (error: unknown) => {
        lastError = messageOf(error);
        commands.disconnect(true);
      },
    );
  });

  // A server that hangs keeps its sockets open: only a question that stays unanswered shows it.
  const probing = every(
    {
      intervalMs: timing.redisProbeMs,
      signal: stopped.signal,
      onError: (error) => {
        lastError = messageOf(error);
        setStatus('down', lastError);
      },
    },
    async () => {
      if (commands.status !== 'ready') return;
      await commands.ping();
      if (status.state === 'down' && commands.status === 'ready') {
        await check();
        setStatus('up', 'connected');
      }
    },
  );

  const read = async <T>(operation: string, command: (client: Redis) => Promise<T>): Promise<T> => {
    if (status.state !== 'up') throw new OperationError(operation, new Error(`redis is unreachable (${status.reason})`));
    try {
      return await command(commands);
    } catch (error) {
      throw new OperationError(operation, error);
    }
  };

  return {
    keys,
    status: () => status,
    contacts: () => contacts,
    incarnation: () => incarnation,
    onChange(listener) {
      events.on('change', listener);
      return () => events.off('change', listener);
    },
    async whenUp(signal) {
      while (status.state !== 'up' && !signal.aborted) {
        await once(events, 'change', { signal }).catch((error: unknown) => {
          if (!signal.aborted) throw error;
        });
      }
      return !signal.aborted;
    },
    read,
    async script(name, scriptKeys, args) {
      const reply = await read(name, (client) => evalScript(client, name, scriptKeys, args));
      // FLUSHALL does not close connections: a script that finds no incarnation is the first to see it.
      if (Array.isArray(reply) && reply[0] === 'recovering' && reply[1] === '-1') await read('recover', check);
      return Array.isArray(reply) ? reply : [String(reply)];
    },
    timeMs: () =>
      read('read redis time', async (client) => {
        const [seconds, micros] = await client.time();
        return Number(seconds) * 1000 + Math.floor(Number(micros) / 1000);
      }),
    queueClient: (mode) =>
      mode === 'wait'
        ? open('worker', {
            maxRetriesPerRequest: null,
            socketTimeout: Math.max(timing.redisSocketMs, options.blockMs + 3_000),
          })
        : open('queue', { enableOfflineQueue: false, maxRetriesPerRequest: 1, commandTimeout: timing.redisCommandMs }),
    subscribe(channel, listener, signal) {
      // Silence is normal here, so no socket timeout; TCP keep-alive finds a dead peer.
      const client = open('subscriber', { maxRetriesPerRequest: null, socketTimeout: undefined });
      client.on('message', listener);
      client.subscribe(channel).catch((error: unknown) => log.debug({ error: messageOf(error) }, 'subscribe failed'));
      const end = (): void => {
        // Disconnecting twice would keep ioredis waiting for a socket that is closed already.
        clients.delete(client);
        client.disconnect();
      };
      signal.addEventListener('abort', end, { once: true });
    },
    async close() {
      stopped.abort();
      await probing;
      for (const client of clients) client.disconnect();
    },
  };
}
