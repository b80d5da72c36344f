/**
 * A TCP proxy on 127.0.0.1 for fault tests: put it between a client and a server, and make the line between them slow,
 * silent, cut or dead. Bytes are never changed.
 */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from '../../src/redis/embedded/free-port.ts';

/**
 * - `pass`: everything goes through, each chunk after `latencyMs` in each direction.
 * - `black-hole`: connections stay open and new ones are accepted, but nothing gets through; what was sent meanwhile
 *   arrives when the line heals, as after a network partition.
 * - `refuse`: open connections are cut, new ones are refused.
 */
export type LineState = 'pass' | 'black-hole' | 'refuse';

export interface TcpProxy {
  readonly port: number;
  readonly state: LineState;
  /** Connections that are open now. */
  readonly connections: number;
  /** Resolves when the new state holds. */
  set(state: LineState): Promise<void>;
  /** Delay of each chunk in each direction, in ms, from now on. */
  setLatency(latencyMs: number): void;
  /** Cuts all open connections with a reset; new ones are accepted. */
  cut(): void;
  /** Another server behind the same address: open connections are cut, new ones lead there. */
  setTarget(port: number): void;
  close(): Promise<void>;
}

/** Starts a proxy in front of a port on 127.0.0.1. */
export async function startTcpProxy(targetPort: number): Promise<TcpProxy> {
  const port = await freePort();
  const sockets = new Set<Socket>();
  let state: LineState = 'pass';
  let latencyMs = 0;
  let target = targetPort;
  /** Resolves when the line heals; undefined while it is whole. */
  let hole: PromiseWithResolvers<void> | undefined;

  const server = createServer((client) => {
    const upstream = connect(target, '127.0.0.1');
    for (const socket of [client, upstream]) {
      sockets.add(socket.setNoDelay(true));
      // Either side may vanish at any moment, that is what the proxy is for; `pump` sees it and tells the other side.
      socket.on('error', () => undefined);
      socket.once('close', () => sockets.delete(socket));
    }
    void pump(client, upstream);
    void pump(upstream, client);
  });

  /** One chunk after the other, so that order and back-pressure are kept. The end of a connection is held up too. */
  const pump = async (from: Socket, to: Socket): Promise<void> => {
    let broken = false;
    try {
      for await (const chunk of from) {
        if (latencyMs > 0) await delay(latencyMs);
        await hole?.promise;
        if (!to.write(chunk)) await Promise.race([once(to, 'drain'), once(to, 'close')]);
      }
    } catch {
      broken = true;
    }
    await hole?.promise;
    if (broken) reset(to);
    else to.end();
  };

  const cut = (): void => {
    for (const socket of sockets) reset(socket);
  };
  const listen = async (): Promise<void> => {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
  };
  const shut = async (): Promise<void> => {
    const closed = once(server, 'close');
    server.close();
    cut();
    await closed;
  };
  const set = async (next: LineState): Promise<void> => {
    state = next;
    if (next === 'black-hole') {
      hole ??= Promise.withResolvers();
    } else {
      hole?.resolve();
      hole = undefined;
    }
    if (next === 'refuse' && server.listening) await shut();
    if (next !== 'refuse' && !server.listening) await listen();
  };

  await listen();
  return {
    port,
    get state() {
      return state;
    },
    get connections() {
      return sockets.size / 2;
    },
    set,
    setLatency(ms) {
      latencyMs = ms;
    },
    cut,
    setTarget(next) {
      target = next;
      cut();
    },
    close: () => set('refuse'),
  };
}

/** A socket that is shutting down takes no reset, and would stay open after one. */
function reset(socket: Socket): void {
  if (socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}
