import { expect, test } from 'vitest';
import { parseRedisUrl } from '../../src/redis/address.ts';

const PASSWORD = 'hunter-2-of-the-tests';

test.each([
  ['redis://cache', { host: 'cache', port: 6379 }],
  ['redis://cache:7000', { host: 'cache', port: 7000 }],
  ['cache:7000', { host: 'cache', port: 7000 }],
  ['cache', { host: 'cache', port: 6379 }],
  ['127.0.0.1:6379/2', { host: '127.0.0.1', port: 6379, db: 2 }],
  ['redis://[::1]:7000', { host: '::1', port: 7000 }],
  ['redis://cache:7000/', { host: 'cache', port: 7000 }],
  ['redis://:secret@cache', { host: 'cache', port: 6379, password: 'secret' }],
  ['redis://smith:secret@cache', { host: 'cache', port: 6379, username: 'smith', password: 'secret' }],
  ['redis://:p%40ss%2Fw%3Ard@cache', { host: 'cache', port: 6379, password: 'p@ss/w:rd' }],
  ['redis://:with:colon@cache', { host: 'cache', port: 6379, password: 'with:colon' }],
  ['rediss://cache:7001/3', { host: 'cache', port: 7001, db: 3, tls: {} }],
  ['REDIS://cache', { host: 'cache', port: 6379 }],
])('%s is understood', (url, options) => {
  expect(parseRedisUrl(url)).toEqual({ ok: true, options });
});

test.each([
  ['redis+sentinel://one/main', [{ host: 'one', port: 26_379 }], {}],
  [
    'redis+sentinel://one:1,two:2,[::1]:3/main',
    [
      { host: 'one', port: 1 },
      { host: 'two', port: 2 },
      { host: '::1', port: 3 },
    ],
    {},
  ],
  [
    'redis+sentinel://u:pw@one,two/main/4',
    [
      { host: 'one', port: 26_379 },
      { host: 'two', port: 26_379 },
    ],
    { username: 'u', password: 'pw', db: 4 },
  ],
])('%s is understood, and follows a failover', (url, sentinels, more) => {
  expect(parseRedisUrl(url)).toEqual({
    ok: true,
    options: { sentinels, name: 'main', role: 'master', failoverDetector: true, ...more },
  });
});

test.each([
  ['redis+cluster://one', [{ host: 'one', port: 6379 }], {}],
  [
    'redis+cluster://one:1,[::1]:2/',
    [
      { host: 'one', port: 1 },
      { host: '::1', port: 2 },
    ],
    {},
  ],
  [
    'rediss+cluster://u:p%40w@one,two:7000',
    [
      { host: 'one', port: 6379 },
      { host: 'two', port: 7000 },
    ],
    { username: 'u', password: 'p@w', tls: {} },
  ],
])('%s is understood, as some nodes of a cluster', (url, cluster, more) => {
  expect(parseRedisUrl(url)).toEqual({ ok: true, options: { cluster, ...more } });
});

test.each([
  [`redis+cluster://:${PASSWORD}@one,two/1`, 'no numbered databases'],
  [`redis+cluster://:${PASSWORD}@one,two:x`, 'host name'],
  [`rediss+sentinel://:${PASSWORD}@one/main`, 'expected redis://'],
  [`http://:${PASSWORD}@cache`, 'expected redis://'],
  [`redis+sentinel://:${PASSWORD}@one,two`, 'needs the name of the master'],
  [`redis+sentinel://:${PASSWORD}@one,two:x/main`, 'host name'],
  [`redis+sentinel://:${PASSWORD}@one,,two/main`, 'host name'],
  [`redis+sentinel://:${PASSWORD}@one/main/x`, 'number of a database'],
  [`redis://:${PASSWORD}@one,two`, 'redis+sentinel:// or redis+cluster://'],
  [`redis://:${PASSWORD}@cache/mydb`, 'number of a database'],
  [`redis://:${PASSWORD}@cache/1/2`, 'number of a database'],
  [`redis://:${PASSWORD}@cache:70000`, 'port'],
  [`redis://:${PASSWORD}@cache:0`, 'port'],
  [`redis://:${PASSWORD}@cache:six`, 'port'],
  [`redis://:${PASSWORD}@`, 'not a valid URL'],
  [`redis://:${PASSWORD}/with-slash@cache`, 'port'],
  [`redis://:${PASSWORD}@with-at@cache`, 'not a valid URL'],
  [`redis://:${PASSWORD}#hash@cache`, 'not a valid URL'],
  [`redis://:${PASSWORD}%zz@cache`, '%25'],
  [`redis://:${PASSWORD}@cache?db=1`, 'not a valid URL'],
  ['', 'not a valid URL'],
])('%# a URL that means nothing is a problem that never repeats the password', (url, problem) => {
  const address = parseRedisUrl(url);
  expect(address).toEqual({ ok: false, problem: expect.stringContaining(problem) });
  expect(JSON.stringify(address)).not.toContain(PASSWORD);
});
