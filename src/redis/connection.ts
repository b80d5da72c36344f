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
import { type Moment, now } from '../foundation/clock.ts';
import { messageOf, OperationError } from '../foundation/errors.ts';
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
  /** Only to look at what others keep there: whose data this is, is read and never noted. */
  readonly readOnly?: boolean;
  readonly log: Log;
}

/** What is known about the connection; `since` in wall-clock ms. */
export interface RedisStatus {
  readonly state: 'up' | 'down';
  readonly reason: string;
  readonly sinceMs: number;
}

/** The data that we see, from one loss to the next. */
interface Incarnation {
  readonly id: string;
  /** Its beginning in Redis TIME, 0 when nothing was there to lose. */
  readonly since: string;
  /** Milliseconds of Redis TIME from then until we looked. */
  readonly ageMs: number;
  readonly lookedAt: Moment;
}

export interface RedisConnection {
  readonly keys: Keys;
  status(): RedisStatus;
  /** Called on every change of `status().state`; returns the way to stop listening. */
  onChange(listener: (status: RedisStatus) => void): () => void;
  /** Resolves when the connection is up, false when the signal aborts first. */
  whenUp(signal: AbortSignal): Promise<boolean>;
  /** Changes whenever Redis has lost its data or was replaced; undefined before the first contact. */
  incarnation(): string | undefined;
  /** Milliseconds left of a window that began when Redis lost its data; 0 outside it, the whole window before the first contact. */
  recoveringMs(windowMs: number): number;
  /** Counts how often the connection came up or the data was lost: equal numbers mean unbroken contact. */
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
  let saidDown = false;
  /** Since it was last up: ioredis counts anew with each connection, and a server may take us and fail our check. */
  let failedChecks = 0;

  const open = (name: string, extra: RedisOptions): Redis => {
    const settings: RedisOptions = {
      ...options.address,
      connectionName: `agent-smith:${name}`,
      connectTimeout: timing.redisSocketMs,
      socketTimeout: timing.redisSocketMs,
      // A demoted master that keeps its connections answers reads for ever, and no write.
      reconnectOnError: (error) => error.message.includes('READONLY'),
      retryStrategy: (times) => Math.min(50 * 2 ** Math.min(times + failedChecks, 6), timing.redisProbeMs * 2),
      ...extra,
    };
    const client = new Redis({ ...settings, replyMapping: 'legacy' });
    // Without a listener ioredis prints to the console; the state is what people look at.
    client.on('error', (error: unknown) => {
      lastError = messageOf(error);
      log.debug({ client: name, error: lastError }, 'redis client error');
    });
    // ioredis gives up for good when Sentinel tells of a failover while it is asking Sentinel for the master.
    client.on('end', () => {
      if (stopped.signal.aborted || !clients.has(client)) return;
      client.connect().catch((error: unknown) => log.debug({ client: name, error: messageOf(error) }, 'not connected'));
    });
    clients.add(client);
    return client;
  };

  const setStatus = (state: RedisStatus['state'], reason: string): void => {
    if (stopped.signal.aborted) return;
    const changed = status.state !== state;
    status = { state, reason, sinceMs: changed ? Date.now() : status.sinceMs };
    if (state === 'down' && !saidDown) log.warn({ reason }, 'redis is unreachable');
    saidDown = state === 'down';
    if (!changed) return;
    if (state === 'up') {
      contacts += 1;
      failedChecks = 0;
      lastError = 'the connection was closed';
      log.info({ incarnation: incarnation?.id }, 'redis is up');
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
    if (options.readOnly === true) return await lookOnly();
    const info = `${await commands.info('server')}\n${await commands.info('replication')}`;
    const field = (name: string): string => new RegExp(`^${name}:(\\S+)`, 'm').exec(info)?.[1] ?? '';
    const server = `${field('run_id')} ${field('master_replid')}`;
    // Only what nobody has seen yet is fresh: data that is missing later was lost, whoever started the server.
    const fresh = options.freshServer === true && incarnation === undefined;
    const reply = (await evalScript(
      commands,
      'recover',
      [keys.incarnation],
      [server, ulid(), fresh ? '1' : '0', incarnation?.since ?? '0'],
    )) as string[];
    const [id = '', since = '0', ageMs = '0', what] = reply;
    if (what === 'changed' && !fresh) log.warn({ incarnation: id }, 'redis is new to us, or has lost its data');
    if (incarnation !== undefined && incarnation.id !== id) contacts += 1;
    incarnation = { id, since, ageMs: Number(ageMs), lookedAt: now() };
  };

  const lookOnly = async (): Promise<void> => {
    const [id, since] = await commands.hmget(keys.incarnation, 'id', 'since');
    const [seconds] = await commands.time();
    const ageMs = Number(seconds) * 1000 - Number(since ?? Number(seconds) * 1000);
    incarnation = { id: id ?? '', since: since ?? '0', ageMs, lookedAt: now() };
  };

  commands.on('close', () => setStatus('down', lastError));
  commands.on('error', () => {
    if (status.state === 'down') setStatus('down', lastError);
  });
  const checkIn = async (): Promise<void> => {
    try {
      await check();
      if (commands.status === 'ready') setStatus('up', 'connected');
    } catch (error) {
      failedChecks += 1;
      lastError = messageOf(error);
      commands.disconnect(true);
    }
  };
  commands.on('ready', () => void checkIn());

  // A server that hangs keeps its sockets open: only a question that stays unanswered shows it. And FLUSHALL closes no
  // connection, so what is asked for is the note that would be gone.
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
      const noted = await commands.hget(keys.incarnation, 'id');
      if (status.state === 'up' && noted === incarnation?.id) return;
      await check();
      setStatus('up', 'connected');
    },
  );

  const read = async <T>(operation: string, command: (client: Redis) => Promise<T>): Promise<T> => {
    const { state, reason } = status;
    if (state !== 'up') throw new OperationError(operation, new Error(`redis is unreachable (${reason})`));
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
    incarnation: () => incarnation?.id,
    recoveringMs(windowMs) {
      if (incarnation === undefined) return windowMs;
      const { ageMs, lookedAt } = incarnation;
      // The steady clock alone: a wall clock that jumps forward must not cut the window short.
      return Math.max(0, windowMs - ageMs - (now().monotonicMs - lookedAt.monotonicMs));
    },
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
      // A script that finds no incarnation after FLUSHALL may see it before the probe does.
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
      if (signal.aborted) return;
      // Silence is normal here, so no socket timeout; TCP keep-alive finds a dead peer.
      const client = open('subscriber', {
        maxRetriesPerRequest: null,
        socketTimeout: undefined,
        keepAlive: timing.redisSocketMs,
      });
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
      status = { state: 'down', reason: 'the connection is closed', sinceMs: Date.now() };
      for (const client of clients) client.disconnect();
      await probing;
    },
  };
}
