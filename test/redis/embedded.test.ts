import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { Redis } from 'ioredis';
import { expect, onTestFinished, test, vi } from 'vitest';
import { createLog } from '../../src/foundation/log.ts';
import { createRedactor } from '../../src/foundation/redactor.ts';
import { startEmbeddedRedis } from '../../src/redis/embedded/embedded-redis.ts';
import { freePort } from '../../src/redis/embedded/free-port.ts';
import { startTestRedis, type TestRedisOptions, testRedisServer } from '../support/redis.ts';

async function start(options: TestRedisOptions = {}) {
  const redis = await startTestRedis(options);
  onTestFinished(() => redis.stop());
  return redis;
}

function connect(url: string): Redis {
  const client = new Redis(url, { maxRetriesPerRequest: null, retryStrategy: () => 20 });
  client.on('error', () => undefined);
  onTestFinished(() => client.disconnect());
  return client;
}

async function temporaryFolder(): Promise<string> {
  const dir = await mkdtemp(path.join(tmpdir(), 'agentsmith-test-'));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

test('answers as soon as it is started, on 127.0.0.1 only, and never evicts', async () => {
  const redis = await start();
  const client = connect(redis.url);
  expect(await client.ping()).toBe('PONG');
  expect(await client.config('GET', 'bind')).toEqual(['bind', '127.0.0.1']);
  expect(await client.config('GET', 'maxmemory-policy')).toEqual(['maxmemory-policy', 'noeviction']);
  expect(redis.running).toBe(true);
});

test('a password is needed when one is set, and stands in no command line', async () => {
  const password = 'p@ss "word" \\ 1';
  const redis = await start({ password });
  expect(await connect(redis.url).ping()).toBe('PONG');
  const stranger = connect(`redis://127.0.0.1:${redis.port}`);
  await expect(stranger.get('key')).rejects.toThrow('NOAUTH');
  const { stdout } = await promisify(execFile)('ps', ['-o', 'args=', '-p', String(redis.pid)]);
  expect(stdout).toContain('redis');
  expect(stdout).not.toContain('p@ss');
});

test('append-only data survives SIGKILL and restart on the same port', async () => {
  const redis = await start({ appendOnly: true });
  const client = connect(redis.url);
  await client.config('SET', 'appendfsync', 'always');
  await client.set('key', 'value');
  const { pid } = redis;
  await redis.kill('SIGKILL');
  expect(redis.running).toBe(false);
  await redis.restart();
  expect(redis.pid).not.toBe(pid);
  expect(await client.get('key')).toBe('value');
});

test('without append-only a restart forgets everything', async () => {
  const redis = await start();
  const client = connect(redis.url);
  await client.set('key', 'value');
  await redis.restart();
  expect(await client.get('key')).toBe(null);
});

test('a server that hangs in SIGSTOP is restarted and stopped', async () => {
  const redis = await start();
  await redis.kill('SIGSTOP');
  await redis.restart();
  expect(await connect(redis.url).ping()).toBe('PONG');
  await redis.kill('SIGSTOP');
  await redis.stop();
  expect(isAlive(redis.pid)).toBe(false);
});

test('stop removes the temporary folder, and may be called twice', async () => {
  const redis = await start();
  const [, dir] = await connect(redis.url).config('GET', 'dir');
  expect((await stat(String(dir))).isDirectory()).toBe(true);
  await redis.stop();
  await redis.stop();
  await expect(stat(String(dir))).rejects.toThrow('ENOENT');
});

test('a port in use is named in the error, with the words of the server', async () => {
  const first = await start();
  await expect(startTestRedis({ port: first.port })).rejects.toThrow(
    new RegExp(`did not start on port ${first.port}[^]*Address already in use`),
  );
});

test('an end that nobody asked for is logged, one that was asked for is not', async () => {
  const log = createLog({ level: 'silent', redactor: createRedactor() });
  const error = vi.spyOn(log, 'error');
  const redis = await start({ log });
  await redis.kill('SIGKILL');
  await redis.restart();
  expect(error).not.toHaveBeenCalled();
  process.kill(redis.pid, 'SIGKILL');
  await vi.waitFor(() => expect(error).toHaveBeenCalledOnce());
  expect(error.mock.calls[0]?.[0]).toMatchObject({ port: redis.port, how: 'SIGKILL' });
  expect(redis.running).toBe(false);
});

test('a program that is missing is a clear error', async () => {
  const log = createLog({ level: 'silent', redactor: createRedactor() });
  const server = { program: '/no/such/redis-server', env: {}, version: [7, 0] as const };
  await expect(startEmbeddedRedis({ server, log })).rejects.toThrow('/no/such/redis-server');
});

test('the server dies with a parent that is killed with SIGKILL', async () => {
  const script = `
    import { startEmbeddedRedis } from './src/redis/embedded/embedded-redis.ts';
    import { createLog } from './src/foundation/log.ts';
    import { createRedactor } from './src/foundation/redactor.ts';
    const log = createLog({ level: 'silent', redactor: createRedactor() });
    const redis = await startEmbeddedRedis({ server: JSON.parse(process.argv[1]), log, dir: process.argv[2] });
    console.log(redis.pid);
  `;
  const args = ['--input-type=module', '-e', script, JSON.stringify(testRedisServer()), await temporaryFolder()];
  const parent = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = (await once(createInterface({ input: parent.stdout }), 'line')) as [string];
  const pid = Number(line);
  expect(isAlive(pid)).toBe(true);
  parent.kill('SIGKILL');
  await vi.waitFor(() => expect(isAlive(pid)).toBe(false), { timeout: 5_000 });
});

test('a free port is outside the range of outgoing connections', async () => {
  const port = await freePort();
  expect(port).toBeGreaterThanOrEqual(20_000);
  expect(port).toBeLessThan(30_000);
});
