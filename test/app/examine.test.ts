/** What `doctor` asks for, on an emulated GitHub and a real Redis: each thing that may be wrong, found and explained. */
import { readFileSync } from 'node:fs';
import { expect, onTestFinished, test, vi } from 'vitest';
import type { DoctorCheck } from '../../src/app/doctor/check.ts';
import { examine } from '../../src/app/doctor/examine.ts';
import type { Environment } from '../../src/config/expand.ts';
import { DEFAULT_TIMING } from '../../src/domain/timing.ts';
import { createRedactor } from '../../src/foundation/redactor.ts';
import { load } from '../config/load-text.ts';
import { REPOSITORY, silentLog, startHub, TOKEN } from '../support/house.ts';
import { useRedis } from '../support/redis.ts';

const redis = useRedis();

/** The projects of a configuration, all on one repository; undefined asks for `api` with the trigger label `agent-smith`. */
async function open(projects?: (url: string) => string) {
  const hub = await startHub();
  const url = hub.pageUrl(REPOSITORY);
  const text = projects?.(url) ?? project('api', url, 'agent-smith');
  const doctor = async (
    env: Environment = {},
    writeTest?: { readonly project: string; readonly ticketId: string },
  ): Promise<readonly DoctorCheck[]> => {
    const all = { GITHUB_TOKEN: TOKEN, REDIS_URL: redis.url, ...env };
    return await examine({
      config: await load(`projects:\n${text}`, all),
      env: all,
      timing: { ...DEFAULT_TIMING, redisCommandMs: 500 },
      log: silentLog,
      redactor: createRedactor(),
      signal: new AbortController().signal,
      onProgress: () => {},
      writeTest,
    });
  };
  return { hub, doctor };
}

function project(name: string, url: string, label: string, auth = 'token'): string {
  const tickets = `{ type: GitHub, url: "${url}", auth: ${auth} }`;
  return `  ${name}: { tickets: ${tickets}, github_trigger: { pipeline_from_label: { ${label}: p } } }\n`;
}

/** The findings of one kind, as `subject state: text -> advice`. */
function found(checks: readonly DoctorCheck[], kind: string): string[] {
  return checks
    .filter(({ check }) => check === kind)
    .map(
      ({ subject, state, text, advice }) =>
        `${subject} ${state}: ${text}${advice === undefined ? '' : ` -> ${advice}`}`,
    );
}

test('projects on one source with one credential are asked for together, others for themselves', async () => {
  const { hub, doctor } = await open(
    (url) =>
      project('one', url, 'a') + project('two', url, 'b') + project('own', url, 'c', '{ token: ghp_another-one }'),
  );
  hub.tokens.add('another', { token: 'ghp_another-one', login: 'another-bot' });
  expect(found(await doctor(), 'sign-in')).toEqual(['one, two ok: as smith-bot', 'own ok: as another-bot']);
  expect(hub.ledger.totals().byOperation.get('users/get-authenticated')).toBe(2);
});

test('a token that is refused, one that is missing, a key that is not there: each a problem of its project alone', async () => {
  const app = '{ app_id: 1, installation_id: 2, private_key_file: nowhere.pem }';
  const { doctor } = await open(
    (url) =>
      project('good', url, 'a') +
      project('bad', url, 'b', '{ token: ghp_not-a-token }') +
      project('none', url, 'c', '{ token: "${MINE:-}" }') +
      project('app', url, 'd', app) +
      project('odd', url, 'e', '{ app_id: 1, installation_id: two, private_key_file: nowhere.pem }'),
  );
  const checks = await doctor();
  expect(found(checks, 'sign-in')).toEqual([
    'good ok: as smith-bot',
    expect.stringMatching(/^bad problem: .*Bad credentials.* -> The token is wrong/),
    expect.stringMatching(/^app problem: .*nowhere\.pem cannot be read: ENOENT -> /),
  ]);
  expect(found(checks, 'credential-missing')).toEqual([
    expect.stringMatching(/^none problem: .*auth\.token is empty -> Set it/),
  ]);
  expect(found(checks, 'opens')).toEqual([expect.stringMatching(/^odd problem: .*installation_id must be the number/)]);
  expect(found(checks, 'write-labels')).toEqual([expect.stringMatching(/^good unknown: .*--write-test/)]);
});

test('no Redis, and one whose address is wrong, are findings among the others', async () => {
  const { doctor } = await open();
  const unset = await doctor({ REDIS_URL: '' });
  expect(found(unset, 'address')).toEqual([expect.stringContaining('redis problem: REDIS_URL is not set -> Set it')]);
  expect(found(unset, 'sign-in')).toHaveLength(1);
  const wrong = await doctor({ REDIS_URL: 'redis://:a/b-secret@host' });
  expect(found(wrong, 'address')).toEqual([expect.stringContaining('redis problem: REDIS_URL: expected a host name')]);
  expect(JSON.stringify(wrong)).not.toContain('b-secret');
});

test('a Redis with a wrong password, or whose user may not do enough', async () => {
  const { doctor } = await open();
  await redis.client.acl('SETUSER', 'weak', 'on', '>weak-secret', '~agentsmith:*', '&*', '+@all', '-xadd', '-eval');
  const url = new URL(redis.url);
  [url.username, url.password] = ['weak', 'weak-secret'];
  expect(found(await doctor({ REDIS_URL: url.href }), 'rights')).toEqual([
    expect.stringMatching(/^redis problem: .*'xadd'.*'eval'.* -> Grant it/),
  ]);
  await redis.client.acl('SETUSER', 'weak', '-acl', '-config');
  const silent = await doctor({ REDIS_URL: url.href });
  expect(found(silent, 'rights')).toEqual([expect.stringMatching(/^redis unknown: /)]);
  expect(found(silent, 'settings')).toEqual([expect.stringMatching(/^redis unknown: .* -> Make sure/)]);
  url.password = 'guessed';
  expect(found(await doctor({ REDIS_URL: url.href }), 'reachable')).toEqual([
    expect.stringMatching(/^redis problem: cannot be reached: WRONGPASS.* -> Check the user and the password/),
  ]);
  await redis.client.acl('DELUSER', 'weak');
});

test('the user that the documentation proposes may do all that is needed, and be asked about it', async () => {
  const { doctor } = await open();
  const page = readFileSync(new URL('../../docs/doctor.md', import.meta.url), 'utf8');
  const [, rules = ''] = /^ACL SETUSER agent-smith (.*)$/m.exec(page) ?? [];
  await redis.client.acl('SETUSER', 'proposed', ...rules.replace('PASSWORD', 'proposed-secret').split(' '));
  const url = new URL(redis.url);
  [url.username, url.password] = ['proposed', 'proposed-secret'];
  const checks = await doctor({ REDIS_URL: url.href });
  expect(found(checks, 'rights')).toEqual(['redis ok: its user may do all that is needed']);
  expect(found(checks, 'settings').join()).not.toContain('unknown');
  await redis.client.acl('DELUSER', 'proposed');
});

test('a credential that a replica was told to rest is not used', async () => {
  const { hub, doctor } = await open();
  await doctor();
  const asked = hub.ledger.totals().requests;
  const [name = ''] = found(await doctor(), 'api-budget').map((line) => line.split(' ')[0]);
  const [seconds] = await redis.client.time();
  await redis.client.hset(`agentsmith:budget:${name}`, 'until', String((Number(seconds) + 60) * 1000));
  const before = hub.ledger.totals().requests;
  const checks = await doctor();
  expect(asked).toBeGreaterThan(0);
  expect(hub.ledger.totals().requests).toBe(before);
  expect(found(checks, 'reachable')).toContainEqual(expect.stringMatching(/^api warning: .* -> Ask again in \d+ s/));
  expect(found(checks, 'api-budget')).toEqual([expect.stringContaining('warning: the platform asked to wait')]);
});

test.each([
  ['a lifecycle label', 'agent-smith:done', 'is labelled agent-smith:done'],
  ['a trigger label', 'Agent-Smith', 'carries "agent-smith", a trigger label of api: it could start'],
])('the write test refuses a ticket with %s', async (_, label, words) => {
  const { hub, doctor } = await open();
  const { number, ticket } = hub.openIssue(REPOSITORY, { labels: [label] });
  const checks = await doctor({}, { project: 'api', ticketId: String(number) });
  expect(found(checks, 'write-test')).toEqual([
    expect.stringContaining(`api problem: nothing was written: ${ticket} ${words} -> Take a ticket`),
  ]);
  expect(hub.ledger.requests().filter(({ method }) => method !== 'GET')).toEqual([]);
});

test('the write test without the right to write, or on no ticket, says so', async () => {
  const { hub, doctor } = await open();
  hub.tokens.add('reader', { token: 'ghp_of-a-reader', canPush: false });
  const { number } = hub.openIssue(REPOSITORY);
  const refused = await doctor({ GITHUB_TOKEN: 'ghp_of-a-reader' }, { project: 'api', ticketId: String(number) });
  expect(found(refused, 'write-test')).toEqual([
    expect.stringMatching(/^api problem: .*403.* -> Check the credential/),
  ]);
  const missing = await doctor({}, { project: 'api', ticketId: '4711' });
  expect(found(missing, 'write-test')).toEqual([expect.stringMatching(/^api problem: .*404/)]);
});

test('a Redis that takes us and then hides what it is: a finding, and the rest is asked all the same', async () => {
  const { doctor } = await open();
  // ioredis says it on the console too.
  vi.spyOn(console, 'warn').mockReturnValue(undefined);
  onTestFinished(() => void vi.restoreAllMocks());
  await redis.client.acl('SETUSER', 'blind', 'on', '>blind-secret', '~agentsmith:*', '&*', '+@all', '-info');
  const url = new URL(redis.url);
  [url.username, url.password] = ['blind', 'blind-secret'];
  const checks = await doctor({ REDIS_URL: url.href });
  expect(found(checks, 'reachable')).toEqual([
    expect.stringMatching(/^redis problem: took us, and then: .*NOPERM.* -> Grant its user/),
  ]);
  expect(found(checks, 'sign-in')).toHaveLength(1);
  await redis.client.acl('DELUSER', 'blind');
});
