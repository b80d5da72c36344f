import { expect, test } from 'vitest';
import { createSecrets } from '../../src/config/secrets.ts';

test('what stands before the @ of any URL in the environment is a secret: the address of Redis, of a proxy', () => {
  const env = {
    REDIS_URL: 'rediss://:redis%20pw@cache.test:6380',
    HTTPS_PROXY: 'http://user:proxy-pw@proxy.test:3128',
    HOME: '/home/somebody',
    ADDRESS: 'somebody@example.test',
  };
  expect(createSecrets(env, new Map(), []).all().toSorted()).toEqual(['proxy-pw', 'redis pw', 'redis%20pw']);
});
