import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import { createSecrets, type ProjectSecrets } from '../../src/config/secrets.ts';
import type { Credential } from '../../src/platforms/descriptor.ts';
import { load } from './load-text.ts';

test('what stands before the @ of any URL in the environment is a secret: the address of Redis, of a proxy', () => {
  const env = {
    REDIS_URL: 'rediss://:redis%20pw@cache.test:6380',
    HTTPS_PROXY: 'http://user:proxy-pw@proxy.test:3128',
    HOME: '/home/somebody',
    ADDRESS: 'somebody@example.test',
  };
  expect(createSecrets(env, new Map(), []).all().toSorted()).toEqual(['proxy-pw', 'redis pw', 'redis%20pw']);
});

test('a credential is a secret in every form in which it is sent', () => {
  const token: Credential = { kind: 'token', token: 'pat-of-azure' };
  const basic: Credential = { kind: 'basic', email: 'me@site.test', token: 'token-of-jira' };
  const application = { tenantId: 't', clientId: 'c', authorityUrl: 'https://login.test' };
  const entra: Credential = { kind: 'entra', ...application, clientSecret: 'a+b c/d~secret' };
  const app: Credential = { kind: 'app', appId: '1', installationId: '2', privateKeyFile: '/key.pem' };
  const projects = new Map(
    [token, basic, entra, app].map((credential): [string, ProjectSecrets] => [
      credential.kind,
      { credential: { ok: true, credential }, webhookSecrets: [], allowUnsigned: false },
    ]),
  );
  expect(createSecrets({}, projects, []).all()).toEqual([
    'pat-of-azure',
    Buffer.from(':pat-of-azure').toString('base64'),
    'token-of-jira',
    Buffer.from('me@site.test:token-of-jira').toString('base64'),
    'a+b c/d~secret',
    'a%2Bb+c%2Fd%7Esecret',
  ]);
});

test('what a variable puts into a header that is sent to a service is a secret, whatever the two are called', async () => {
  const yaml = `projects: {}
pipelines:
  p:
    http:
      url: https://\${SERVICE_HOST}/runs
      secret: \${SIGNING}
      headers: { X-Team: payments, X-Tenant: "\${TENANT}", X-Two: "\${ONE:-not-set}.\${OTHER:-other-default}" }
`;
  const env = {
    SERVICE_HOST: 'runner.example.com',
    SIGNING: `whsec_${Buffer.alloc(32, 1).toString('base64')}`,
    TENANT: 'tenant-key\n',
    ONE: 'one-of-two',
  };
  const { secrets } = await load(yaml, env);
  expect(secrets.all().toSorted()).toEqual(['one-of-two', 'tenant-key', env.SIGNING]);
});

test('nothing secret is printed by accident', () => {
  const credential: Credential = { kind: 'token', token: 'pat-of-azure' };
  const projects = new Map([
    ['a', { credential: { ok: true as const, credential }, webhookSecrets: ['hook-secret'], allowUnsigned: false }],
  ]);
  const secrets = createSecrets({ GITHUB_TOKEN: 'env-token' }, projects, []);
  expect(JSON.stringify(secrets) + inspect(secrets, { depth: 9 })).not.toMatch(/pat-of-azure|hook-secret|env-token/);
});
