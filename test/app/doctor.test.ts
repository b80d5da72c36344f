/** The pure parts of `doctor`: what each fact means, and what to do about it. */
import { expect, test } from 'vitest';
import { checkAccess } from '../../src/app/doctor/access.ts';
import { judgeBudget } from '../../src/app/doctor/budget.ts';
import { type DoctorCheck, summarise } from '../../src/app/doctor/check.ts';
import { adviceFor, checkNetwork } from '../../src/app/doctor/network.ts';
import { judgeRedis, type RedisFacts } from '../../src/app/doctor/redis.ts';
import type { Project } from '../../src/domain/project.ts';
import { PLATFORM_ERROR_KINDS, PlatformError, type TicketPlatform } from '../../src/platforms/contract.ts';

const GOOD: RedisFacts = {
  version: '7.2.4',
  role: 'master',
  policy: 'noeviction',
  appendOnly: 'yes',
  lacking: [],
  aheadMs: 12,
};

/** What is not well, as `check state`; each says what to do. */
function bad(checks: readonly DoctorCheck[]): string[] {
  const found = checks.filter(({ state }) => state !== 'ok');
  for (const { advice, text } of found) {
    expect(advice).toMatch(/\.$/);
    expect(text).not.toBe('');
  }
  return found.map(({ check, state }) => `${check} ${state}`);
}

test.each([
  ['as it should be', {}, []],
  ['too old', { version: '6.0.16' }, ['version warning']],
  ['a replica', { role: 'slave' }, ['role problem']],
  ['one that evicts', { policy: 'allkeys-lru' }, ['settings problem']],
  ['one that forgets', { appendOnly: 'no' }, ['settings warning']],
  ['both', { policy: 'allkeys-lru', appendOnly: 'no' }, ['settings problem', 'settings warning']],
  ['one that does not tell', { policy: undefined, lacking: undefined }, ['settings unknown', 'rights unknown']],
  ['one that forbids', { lacking: ["no permissions to run the 'eval' command"] }, ['rights problem']],
  ['with another clock', { aheadMs: -42_000 }, ['clock warning']],
] as const)('a Redis that is %s', (_, facts, expected) => {
  expect(bad(judgeRedis({ ...GOOD, ...facts }))).toEqual(expected);
});

test.each([
  ['ENOTFOUND', 'cannot be resolved'],
  ['EAI_AGAIN', 'cannot be resolved'],
  ['SELF_SIGNED_CERT_IN_CHAIN', 'NODE_EXTRA_CA_CERTS'],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'NODE_EXTRA_CA_CERTS'],
  ['CERT_HAS_EXPIRED', 'NODE_EXTRA_CA_CERTS'],
  ['ERR_SSL_WRONG_VERSION_NUMBER', 'https://'],
  ['ECONNREFUSED', 'firewall'],
  ['UND_ERR_CONNECT_TIMEOUT', 'proxy'],
  ['SOMETHING_NEW', 'No answer in time'],
])('a way that ends in %s', (code, words) => {
  const cause = Object.assign(new Error('broken'), { code });
  expect(adviceFor(new PlatformError('unavailable', 'x', { cause: new Error('fetch failed', { cause }) }))).toContain(
    words,
  );
});

test('every kind of platform error has a sentence of advice of its own', () => {
  const sentences = PLATFORM_ERROR_KINDS.map((kind) => adviceFor(new PlatformError(kind, 'x')));
  for (const sentence of sentences) expect(sentence).toMatch(/^[A-Z].{20,}\.$/);
  expect(new Set(sentences).size).toBe(PLATFORM_ERROR_KINDS.length);
  expect(adviceFor(new PlatformError('unavailable', 'x', { status: 503 }))).toContain('outage');
  expect(adviceFor(new PlatformError('rate-limited', 'x', { retryAfterMs: 1_500 }))).toContain('in 2 s');
  expect(adviceFor(new PlatformError('invalid-response', 'x', { status: 407 }))).toContain('proxy');
});

test('a proxy is used when Node is told so', () => {
  const proxy = { HTTPS_PROXY: 'http://proxy.test' };
  expect(bad(checkNetwork({}))).toEqual([]);
  expect(bad(checkNetwork(proxy))).toEqual(['proxy warning']);
  expect(bad(checkNetwork({ ...proxy, NODE_USE_ENV_PROXY: '1' }))).toEqual([]);
  expect(bad(checkNetwork({ ...proxy, NODE_OPTIONS: '--use-env-proxy' }))).toEqual([]);
  expect(bad(checkNetwork({ NODE_TLS_REJECT_UNAUTHORIZED: '0' }))).toEqual(['tls warning']);
  expect(JSON.stringify(checkNetwork(proxy))).not.toContain('proxy.test');
});

test('a budget: enough, nearly spent, held back, unknown', () => {
  const window = { limit: 5_000, remaining: 4_000, resetMs: 1_800_000, windowMs: 3_600_000 };
  expect(judgeBudget('bot', { heldMs: 0, window })).toMatchObject([
    { state: 'ok', text: '4000 of 5000 left, begins anew in 30 min' },
  ]);
  expect(bad(judgeBudget('bot', { heldMs: 0, window: { ...window, remaining: 100 } }))).toEqual(['api-budget warning']);
  expect(bad(judgeBudget('bot', { heldMs: 30_000, window }))).toEqual(['api-budget warning']);
  expect(judgeBudget('bot', { heldMs: 0, window: undefined })).toEqual([]);
});

/** Asks about projects with a source each. */
function ask(
  names: readonly string[],
  credentialOf: (project: Project) => string,
  platformOf: (project: Project) => Pick<TicketPlatform, 'checkAccess'>,
  onProgress: (answered: number) => void = () => {},
): Promise<DoctorCheck[]> {
  const projects = names.map((name) => ({
    name,
    source: { platform: 'github', host: 'host.test', container: `org/${name}`, apiUrl: 'https://host.test' },
  })) as unknown as Project[];
  return checkAccess({
    projects: {
      current: () => ({ hash: '', projects, pipelines: new Map() }),
      platformOf: platformOf as (project: Project) => TicketPlatform,
      credentialOf,
    },
    checkHooks: async () => [],
    call: { purpose: 'inspect', deadlineMs: 1_000, signal: new AbortController().signal },
    onProgress,
  });
}

test('a host that hangs is not waited for a thousand times, and the other credentials are asked all the same', async () => {
  const names = Array.from({ length: 1_000 }, (_, index) => `dead-${index}`);
  let asked = 0;
  const checks = await ask(
    [...names, 'alive-1'],
    ({ name }) => name.split('-')[0] ?? '',
    ({ name }) => ({
      async checkAccess() {
        if (name === 'alive-1') return [{ right: 'sign-in', granted: 'yes', evidence: 'as somebody' }];
        asked += 1;
        // A refusal is an answer, and the host is there.
        if (asked === 3) throw new PlatformError('unavailable', 'gateway', { status: 502 });
        throw new PlatformError('unavailable', 'no answer within 20000 ms');
      },
    }),
  );
  expect(asked).toBeLessThan(12);
  expect(bad(checks)).toHaveLength(1_000);
  expect(bad(checks).filter((state) => state === 'reachable unknown')).toHaveLength(1_000 - asked);
  expect(checks.at(-1)).toMatchObject({ subject: 'alive-1', state: 'ok' });
});

test('a credential is asked for few sources at once, several credentials at the same time; the order stays', async () => {
  const all = Array.from({ length: 24 }, (_, index) => `${index % 2 === 0 ? 'even' : 'odd'}-${index}`);
  const credentialOf = ({ name }: Pick<Project, 'name'>): string => name.split('-')[0] ?? '';
  const running = { even: 0, odd: 0 };
  const most = { even: 0, odd: 0, both: 0 };
  const platformOf = (project: Project): Pick<TicketPlatform, 'checkAccess'> => ({
    async checkAccess() {
      const credential = credentialOf(project) === 'even' ? 'even' : 'odd';
      running[credential] += 1;
      most[credential] = Math.max(most[credential], running[credential]);
      most.both = Math.max(most.both, running.even + running.odd);
      await new Promise((resolve) => setImmediate(resolve));
      running[credential] -= 1;
      if (project.name === 'odd-5') throw new PlatformError('unavailable', 'down');
      return [{ right: 'sign-in', granted: 'yes', evidence: 'as somebody' }];
    },
  });
  const progress: number[] = [];
  const checks = await ask(all, credentialOf, platformOf, (answered) => progress.push(answered));
  expect(checks.map(({ subject }) => subject)).toEqual(all);
  expect(bad(checks)).toEqual(['reachable problem']);
  expect(most).toEqual({ even: 4, odd: 4, both: 8 });
  expect(progress).toEqual(all.map((_, index) => index + 1));
});

test('the summary counts what there is', () => {
  const checks = (['ok', 'unknown', 'warning', 'problem', 'problem'] as const).map(
    (state): DoctorCheck => ({ subject: 'api', check: 'sign-in', state, text: 'x' }),
  );
  expect(summarise(checks)).toBe('5 checks, 1 ok, 1 unknown, 1 warning, 2 problems');
  expect(summarise(checks.slice(0, 1))).toBe('1 check, 1 ok');
});
