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
import type { Redis, RedisOptions } from 'ioredis';
import { messageOf, OperationError } from '../foundation/errors.ts';
import type { Log } from '../foundation/log.ts';
import { every } from '../foundation/loop.ts';
import type { RedisTarget } from './address.ts';
import { createClients } from './clients.ts';
import { watchIncarnation } from './incarnation.ts';
import { createKeys, type Keys } from './keys.ts';
import { watchRefusals } from './refusals.ts';
import { createReplicationWait, isPromise } from './replication.ts';
import { evalScript, type Reply } from './scripts.ts';

export interface RedisConnectionOptions {
  /** From `parseRedisUrl`. */
  readonly address: RedisTarget;
  readonly namespace: string;
  readonly timing: { readonly redisCommandMs: number; readonly redisProbeMs: number; readonly redisSocketMs: number };
  /** How long BullMQ blocks on an empty queue, in ms; the socket of its client must be allowed to be silent longer. */
  readonly blockMs: number;
  /** The server is ours and was started empty just now: finding no data means nothing was lost. */
  readonly freshServer?: boolean;
  /** `replicated`: what a claim, a start or a delivery rests on waits for one replica. Default `local`. */
  readonly durability?: 'local' | 'replicated';
  /** Whether a replica has answered in time; called after each such wait. */
  readonly onReplicaWait?: (isConfirmed: boolean) => void;
  /** Only to look at what others keep there: whose data this is, is read and never noted. */
  readonly readOnly?: boolean;
  readonly log: Log;
}

/** What is known about the connection; `since` in wall-clock ms. */
export interface RedisStatus {
  readonly state: 'up' | 'down';
  readonly reason: string;
  readonly sinceMs: number;
  /**
   * Down, and the host itself has refused every attempt to connect since (ECONNREFUSED): no server listens there. False
   * as soon as one attempt ends otherwise, until it was up again; and for Sentinel and Cluster, where there is no one
   * host to ask.
   */
  readonly refused: boolean;
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
  /**
   * Listens on a pub/sub channel until the signal aborts. Messages that are sent while Redis is away are lost, so the
   * listener is called as well whenever it has begun to hear them.
   */
  subscribe(channel: string, listener: () => void, signal: AbortSignal): void;
  close(): Promise<void>;
}

export function createRedisConnection(options: RedisConnectionOptions): RedisConnection {
  const { timing, log } = options;
  const isCluster = options.address.cluster !== undefined;
  const keys = createKeys({ namespace: options.namespace, cluster: isCluster });
  const events = new EventEmitter();
  events.setMaxListeners(0);
  const stopped = new AbortController();
  let status: Omit<RedisStatus, 'refused'> = { state: 'down', reason: 'connecting', sinceMs: Date.now() };
  let contacts = 0;
  let lastError = 'connecting';
  let saidDown = false;
  /** Since it was last up: ioredis counts anew with each connection, and a server may take us and fail our check. */
  let failedChecks = 0;

  const clients = createClients({
    target: options.address,
    anyKey: keys.incarnation,
    timing,
    extraAttempts: () => failedChecks,
    onError: (message) => {
      lastError = message;
    },
    log,
  });

  const statusNow = (): RedisStatus => ({ ...status, refused: status.state === 'down' && isRefused() });

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
      log.info({ incarnation: incarnation.id() }, 'redis is up');
    }
    events.emit('change', statusNow());
  };

  const impatient: RedisOptions = {
    enableOfflineQueue: false,
    maxRetriesPerRequest: 1,
    commandTimeout: timing.redisCommandMs,
  };
  const commands = clients.open('commands', { ...impatient, autoResendUnfulfilledCommands: false });

  const isStandalone = !isCluster && options.address.sentinels === undefined;
  const isRefused = isStandalone ? watchRefusals(commands, () => status.state === 'up') : () => false;

  const incarnation = watchIncarnation(commands, { ...options, key: keys.incarnation });
  /** Runs on the bare client: `script` is refused until it has succeeded. */
  const check = async (): Promise<void> => {
    if ((await incarnation.look()) === 'lost') contacts += 1;
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
      if (status.state === 'up' && noted === incarnation.id()) return;
      await check();
      setStatus('up', 'connected');
    },
  );

  const replicated =
    options.durability === 'replicated' && options.readOnly !== true
      ? createReplicationWait(clients.open('replication', impatient), {
          key: keys.replicationMark,
          onAnswer: options.onReplicaWait ?? (() => undefined),
          log,
        })
      : undefined;

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
    status: statusNow,
    contacts: () => contacts,
    incarnation: incarnation.id,
    recoveringMs: incarnation.leftMs,
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
      const answer = await read(name, (client) => evalScript(client, name, scriptKeys, args));
      const reply: Reply = Array.isArray(answer) ? answer : [String(answer)];
      // A script that finds no incarnation after FLUSHALL may see it before the probe does.
      if (reply[0] === 'recovering' && reply[1] === '-1') await read('recover', check);
      if (isPromise(name, reply)) await replicated?.();
      return reply;
    },
    timeMs: () =>
      read('read redis time', async (client) => {
        const [seconds, micros] = await client.time();
        return Number(seconds) * 1000 + Math.floor(Number(micros) / 1000);
      }),
    queueClient: (mode) =>
      mode === 'wait'
        ? clients.open('worker', {
            maxRetriesPerRequest: null,
            socketTimeout: Math.max(timing.redisSocketMs, options.blockMs + 3_000),
          })
        : clients.open('queue', impatient),
    subscribe(channel, listener, signal) {
      if (signal.aborted) return;
      // Silence is normal here, so no socket timeout; TCP keep-alive finds a dead peer.
      const client = clients.open('subscriber', {
        maxRetriesPerRequest: null,
        // Done here, to know when.
        autoResubscribe: false,
        socketTimeout: undefined,
        keepAlive: timing.redisSocketMs,
      });
      client.on('message', listener);
      client.on('ready', () => {
        client
          .subscribe(channel)
          .then(listener, (error: unknown) => log.debug({ error: messageOf(error) }, 'subscribe failed'));
      });
      signal.addEventListener('abort', () => clients.close(client), { once: true });
    },
    async close() {
      stopped.abort();
      status = { state: 'down', reason: 'the connection is closed', sinceMs: Date.now() };
      clients.closeAll();
      await probing;
    },
  };
}
