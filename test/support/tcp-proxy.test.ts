import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { startTcpProxy, type TcpProxy } from './tcp-proxy.ts';

/** A server that sends everything back, and a proxy in front of it. */
async function startEcho(): Promise<TcpProxy> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.pipe(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const proxy = await startTcpProxy(address.port);
  onTestFinished(async () => {
    await proxy.close();
    server.close();
  });
  return proxy;
}

async function dial(proxy: TcpProxy): Promise<Socket> {
  const socket = connect(proxy.port, '127.0.0.1');
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  onTestFinished(() => void socket.destroy());
  return socket;
}

/** However it comes: `once` would reject at the reset before it. */
function closeOf(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.once('close', () => resolve());
  });
}

async function echo(socket: Socket, text: string): Promise<string> {
  socket.write(text);
  const [chunk] = await once(socket, 'data');
  return String(chunk);
}

test('bytes go through both ways, later when there is latency', async () => {
  const proxy = await startEcho();
  const socket = await dial(proxy);
  expect(await echo(socket, 'one')).toBe('one');
  expect(proxy.connections).toBe(1);
  proxy.setLatency(50);
  const startedAt = performance.now();
  expect(await echo(socket, 'two')).toBe('two');
  expect(performance.now() - startedAt).toBeGreaterThanOrEqual(95);
});

test('a black hole swallows nothing: what was sent arrives when the line heals', async () => {
  const proxy = await startEcho();
  const socket = await dial(proxy);
  expect(await echo(socket, 'before')).toBe('before');
  await proxy.set('black-hole');
  let received = '';
  socket.on('data', (chunk) => (received += String(chunk)));
  socket.write('during');
  const another = await dial(proxy); // new connections are taken, and hang too
  another.write('also');
  proxy.setLatency(1);
  expect(received).toBe('');
  const healed = Promise.all([once(socket, 'data'), once(another, 'data')]);
  await proxy.set('pass');
  await healed;
  expect(received).toBe('during');
});

test('cut resets open connections and takes new ones', async () => {
  const proxy = await startEcho();
  const socket = await dial(proxy);
  expect(await echo(socket, 'before')).toBe('before');
  proxy.cut();
  await closeOf(socket);
  expect(await echo(await dial(proxy), 'after')).toBe('after');
});

test('refuse turns connections away until the line is back on the same port', async () => {
  const proxy = await startEcho();
  const socket = await dial(proxy);
  const closed = closeOf(socket);
  await proxy.set('refuse');
  await closed;
  await expect(dial(proxy)).rejects.toThrow('ECONNREFUSED');
  await proxy.set('pass');
  expect(await echo(await dial(proxy), 'after')).toBe('after');
});
