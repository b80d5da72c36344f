import { expect, test } from 'vitest';
import { commandEnvironment, remoteEnvironment } from '../../../src/worker/runners/command-environment.ts';
import { requestFor } from './requests.ts';

const NOTHING = { env: {}, passEnv: [] };

function environment(...args: Parameters<typeof commandEnvironment>): Record<string, string> {
  const result = commandEnvironment(...args);
  if (result.kind === 'refused') throw new Error(result.reason);
  return result.env;
}

test('of the host only the allow-list is passed, and what the pipeline names', () => {
  const host = {
    PATH: '/bin',
    HOME: '/home/me',
    LANG: 'C.UTF-8',
    LC_ALL: 'C',
    TZ: 'UTC',
    TMPDIR: '/tmp',
    HTTPS_PROXY: 'http://proxy:1',
    https_proxy: 'http://proxy:2',
    no_proxy: 'localhost',
    NODE_EXTRA_CA_CERTS: '/ca.pem',
    SSL_CERT_FILE: '/ca.pem',
    NAMED: 'named',
    NOT_SET: undefined,
    REDIS_URL: 'redis://secret',
    GITHUB_TOKEN: 'secret',
    AGENTSMITH_API_TOKEN: 'secret',
    NODE_OPTIONS: '--inspect',
  };
  const env = environment(requestFor(), { env: {}, passEnv: ['NAMED', 'NOT_SET', 'AGENTSMITH_API_TOKEN'] }, host);
  const theirs = Object.keys(env).filter((name) => !name.startsWith('AGENTSMITH_'));
  expect(theirs.sort().join(' ')).toBe(
    'HOME HTTPS_PROXY LANG LC_ALL NAMED NODE_EXTRA_CA_CERTS PATH SSL_CERT_FILE TMPDIR TZ https_proxy no_proxy',
  );
  expect(Object.values(env)).not.toContain('secret');
});

test('the attempt is described, and the pipeline cannot say otherwise', () => {
  const request = requestFor({ ticket: { title: 'A title' } });
  const env = environment(
    request,
    { env: { AGENTSMITH_FENCE: '1', MODE: 'careful', PATH: '/own' }, passEnv: [] },
    { PATH: '/bin' },
  );
  expect(env).toEqual({
    PATH: '/own',
    MODE: 'careful',
    AGENTSMITH_RUN_ID: request.run,
    AGENTSMITH_ATTEMPT: '2',
    AGENTSMITH_FENCE: '1700000000000',
    AGENTSMITH_PROJECT: 'my-api',
    AGENTSMITH_PIPELINE: 'fix-bug',
    AGENTSMITH_PLATFORM: 'github',
    AGENTSMITH_TICKET_ID: '7',
    AGENTSMITH_TICKET_URL: 'https://github.com/org/my-api/issues/7',
    AGENTSMITH_TICKET_TITLE: 'A title',
    AGENTSMITH_SOURCE_URL: 'https://github.com/org/my-api',
    AGENTSMITH_SOURCE_TYPE: 'GitHub',
  });
});

test.for([
  ['control characters go', 'a\0b\nc\u001b[31md\u009be\u007f', 'abc[31mde'],
  ['1 KiB stays whole', 'x'.repeat(1024), 'x'.repeat(1024)],
  ['a long title is cut', 'x'.repeat(200 * 1024), 'x'.repeat(1024)],
  ['the cut is at a character', `${'x'.repeat(1022)}€`, 'x'.repeat(1022)],
  ['the cut is at a character outside the plane', `${'x'.repeat(1021)}😀`, 'x'.repeat(1021)],
  ['half a character is replaced', 'a\ud83d', 'a\ufffd'],
] as const)('%s', ([, title, expected]) => {
  const env = environment(requestFor({ ticket: { title } }), NOTHING, {});
  expect(env.AGENTSMITH_TICKET_TITLE).toBe(expected);
});

test.for([
  ['a value with a NUL', { MODE: 'a-secret\0' }, /pipeline fix-bug sets MODE to a value with a NUL character/],
  ['a name with a NUL', { 'MO\0DE': 'x' }, /pipeline fix-bug has a variable with the impossible name "MO\\u0000DE"/],
  ['a name with an equals sign', { 'A=B': 'x' }, /impossible name "A=B"/],
  ['an empty name', { '': 'x' }, /impossible name ""/],
] as const)('%s in the env of a pipeline is refused without quoting the value', ([, env, sentence]) => {
  const result = commandEnvironment(requestFor(), { env, passEnv: [] }, {});
  expect(result).toEqual({ kind: 'refused', reason: expect.stringMatching(sentence) });
  expect(JSON.stringify(result)).not.toContain('a-secret');
});

test('what continues the trace of the run is handed on where traces are on, unless the pipeline has a trace of its own', () => {
  const traceparent = '00-4e65d3fbe8ad6535681b021b30785b12-2c915daccf8db805-01';
  const host = { TRACEPARENT: 'of the server' };
  expect(environment(requestFor(), NOTHING, host)).not.toHaveProperty('TRACEPARENT');
  const request = { ...requestFor(), traceparent };
  expect(environment(request, NOTHING, host)).toMatchObject({ TRACEPARENT: traceparent });
  expect(environment(request, { env: { TRACEPARENT: 'own' }, passEnv: [] }, host)).toMatchObject({
    TRACEPARENT: 'own',
  });
  const remote = remoteEnvironment(request, NOTHING, host);
  expect(remote).toMatchObject({ env: { TRACEPARENT: traceparent } });
});
