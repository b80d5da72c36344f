/** Connections go to allowed addresses only, whatever a name says from one moment to the next, and certificates are verified. */
import { once } from 'node:events';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { createAddressRule } from '../../../../src/worker/runners/http/address-rule.ts';
import { openConnector } from '../../../../src/worker/runners/http/connector.ts';
import { exchange } from '../../../../src/worker/runners/http/exchange.ts';
import { startHttpService } from '../../../support/http-service.ts';
import { selfSigned } from '../../../support/self-signed.ts';

const NOTHING = { headers: {}, body: '{}' };
const never = new AbortController().signal;

test('each connection is judged anew: a name whose address is not allowed any more gets no further request', async () => {
  const service = await startHttpService();
  const asked: string[] = [];
  const connector = await openConnector((address) => {
    asked.push(address);
    return service.unproven() === 0 ? createAddressRule(['127.0.0.1', '::1'])(address) : 'private';
  });
  onTestFinished(() => connector.destroy());
  const url = service.url.replace('127.0.0.1', 'localhost');
  const headers = { connection: 'close' };
  expect(await exchange({ url, ...NOTHING, headers }, connector, never)).toMatchObject({ answer: { status: 401 } });
  expect(await exchange({ url, ...NOTHING, headers }, connector, never)).toEqual({
    kind: 'refused',
    reason: expect.stringMatching(
      /^localhost may not be asked: (127\.0\.0\.1|::1) is private.* docs\/runners\/http\.md\.$/,
    ),
  });
  expect(service.unproven()).toBe(1);
  expect(asked).toContain('127.0.0.1');
});

test('a certificate that proves nothing ends it, also where the environment turns verification off', async () => {
  const server = createTlsServer(selfSigned('localhost'), (_request, response) => response.end('{"state":"done"}'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(async () => {
    server.close();
    await once(server, 'close');
  });
  const { port } = server.address() as AddressInfo;
  const connector = await openConnector(createAddressRule(['127.0.0.1']));
  onTestFinished(() => connector.destroy());
  const before = process.env['NODE_TLS_REJECT_UNAUTHORIZED'];
  onTestFinished(() => {
    if (before === undefined) delete process.env['NODE_TLS_REJECT_UNAUTHORIZED'];
    else process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = before;
  });
  process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0';
  expect(await exchange({ url: `https://127.0.0.1:${port}/`, ...NOTHING }, connector, never)).toEqual({
    kind: 'refused',
    reason: 'The certificate of the service does not prove its host (DEPTH_ZERO_SELF_SIGNED_CERT).',
  });
});
