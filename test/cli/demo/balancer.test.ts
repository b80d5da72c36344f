/** The demo's load balancer: each connection goes to a replica that is up, and to nobody while there is none. */
import { expect, onTestFinished, test } from 'vitest';
import { openBalancer } from '../../../src/cli/demo/balancer.ts';
import { type LoopbackServer, startLoopbackServer } from '../../support/loopback-server.ts';

async function replica(name: string): Promise<LoopbackServer & { readonly port: number }> {
  const server = await startLoopbackServer((request, response) => request.pipe(response.writeHead(202, { name })));
  onTestFinished(() => server[Symbol.asyncDispose]());
  return { ...server, port: Number(new URL(server.origin).port) };
}

async function post(url: string, body: string): Promise<{ name: string | null; body: string }> {
  const answer = await fetch(url, { method: 'POST', body, headers: { connection: 'close' } });
  return { name: answer.headers.get('name'), body: await answer.text() };
}

test('replicas take turns, and get and answer the bytes as they are', async () => {
  const [alpha, beta] = [await replica('alpha'), await replica('beta')];
  const balancer = await openBalancer(() => [alpha.port, beta.port]);
  onTestFinished(() => balancer.close());
  const big = 'ä'.repeat(300_000);
  const answers = [await post(`${balancer.origin}/webhook/github`, 'one'), await post(balancer.origin, big)];
  expect(answers).toEqual([
    { name: 'alpha', body: 'one' },
    { name: 'beta', body: big },
  ]);
  expect(alpha.requests).toMatchObject([{ method: 'POST', url: '/webhook/github' }]);
});

test('while no replica is up, or the one that is asked has just died, nobody answers', async () => {
  const alpha = await replica('alpha');
  let ports: readonly number[] = [];
  const balancer = await openBalancer(() => ports);
  onTestFinished(() => balancer.close());
  await expect(post(balancer.origin, 'one')).rejects.toThrow('fetch failed');
  ports = [alpha.port];
  expect(await post(balancer.origin, 'two')).toMatchObject({ name: 'alpha' });
  await alpha[Symbol.asyncDispose]();
  await expect(post(balancer.origin, 'three')).rejects.toThrow('fetch failed');
});

test('it closes although a caller has not been answered yet', async () => {
  const silent = await startLoopbackServer(() => undefined);
  onTestFinished(() => silent[Symbol.asyncDispose]());
  const balancer = await openBalancer(() => [Number(new URL(silent.origin).port)]);
  const asked = post(balancer.origin, 'one').catch((error: Error) => error.message);
  await expect.poll(() => silent.requests).toHaveLength(1);
  await balancer.close();
  expect(await asked).toBe('fetch failed');
});
