/** `agent-smith explain`: a process that only asks. What it says is compared with what the claim then does. */
import { expect, test } from 'vitest';
import { claim } from '../../src/cli/claim.ts';
import { explain } from '../../src/cli/explain.ts';
import { ago, explanationLines } from '../../src/cli/explain-text.ts';
import { UsageError } from '../../src/cli/process.ts';
import { credentialName } from '../../src/config/credentials.ts';
import { freePort } from '../../src/redis/embedded/free-port.ts';
import { markFresh, REPOSITORY, startHub, TOKEN } from '../support/house.ts';
import { dumpOf, useRedis } from '../support/redis.ts';
import { captured, oneProject, openDir, runCli } from './run-cli.ts';

const redis = useRedis();
const NOW = 1_800_000_000_000;

async function open() {
  await markFresh(redis.url);
  const hub = await startHub();
  const dir = await openDir(oneProject(hub.pageUrl(REPOSITORY)));
  const env = { GITHUB_TOKEN: TOKEN, REDIS_URL: redis.url };
  const ask = (asked: readonly [string] | readonly [string, string], other: Record<string, string> = env) =>
    captured(() => explain({ asked, env: other, cwd: dir, json: false }));
  return {
    hub,
    ask,
    dir,
    env,
    claimOne: () => captured(() => claim({ project: 'api', ticket: '1', json: false, env, cwd: dir })),
  };
}

test('a ticket that would be claimed, then one that is: every gate in order, and nothing is written', async () => {
  const { hub, dir, env, claimOne } = await open();
  const { ticket, url } = hub.openIssue(REPOSITORY, { labels: ['agent-smith'] });
  const before = await dumpOf(redis.client);
  const first = await runCli(['explain', url], { dir, env });
  expect(first).toMatchObject({ code: 0, stderr: '' });
  expect(first.stdout).toContain(`${ticket}  ${url}`);
  expect(first.stdout).toMatch(/ok +label +agent-smith asks for pipeline fix-bug of project api/);
  expect(first.stdout).toMatch(/would be claimed: .*pipeline fix-bug of project api/);
  expect(first.stdout).toMatch(
    /next: claimed in the next poll of api, in about \d+ s unless .*no replica leads the polls/,
  );
  expect(first.stdout).toContain('-> pipeline fix-bug of project api (true)');
  expect(first.stdout).not.toContain('stops here');
  expect(first.stdout).not.toContain('undefined');
  expect(await dumpOf(redis.client)).toEqual(before);
  expect(hub.ledger.requests().map(({ method }) => method)).toEqual(['GET']);

  expect((await claimOne()).code).toBe(0);
  const after = await dumpOf(redis.client);
  const json = await captured(() => explain({ asked: ['api', '1'], json: true, env, cwd: dir }));
  expect(json.code).toBe(0);
  expect(JSON.parse(json.stdout)).toMatchObject({
    project: 'api',
    ticketId: '1',
    trigger: 'poll',
    outcome: { kind: 'already-claimed', state: 'queued' },
    run: { state: 'queued', attempt: 0, trigger: 'manual', pipeline: 'fix-bug', label: 'agent-smith' },
    decisions: [{ by: 'claim', outcome: 'claimed' }],
    next: 'the run starts when a worker has a free slot',
    unseen: [],
  });
  expect(await dumpOf(redis.client)).toEqual(after);
});

test('a ticket that stays as it is: which gate stops it, why, what was decided before and when', async () => {
  const { hub, ask, claimOne } = await open();
  hub.openIssue(REPOSITORY, { labels: ['agent-smith', 'agent-smith:done'], title: 'a \u001b[2Jtitle' });
  expect((await claimOne()).code).toBe(1);
  const { code, stdout } = await ask(['api', '#1']);
  expect(code).toBe(0);
  expect(stdout).toMatch(
    /ok +open +it is open\n +stops here +lifecycle +it is labelled agent-smith:done.*\n +not reached +label, second look, actor, runner, time\n/,
  );
  expect(stdout).toMatch(/not claimed \(not-eligible: done\): /);
  expect(stdout).toMatch(/next: nothing until a person removes agent-smith:done/);
  expect(stdout).toMatch(/decisions, newest first:\n {2}(just now|\d+ s ago) +claim +not-eligible: done/);
});

test('without Redis the gates of the platform are tried; what could not be looked at is said', async () => {
  const { hub, ask } = await open();
  hub.openIssue(REPOSITORY, { labels: ['agent-smith'] });
  const unset = await ask(['api', '1'], { GITHUB_TOKEN: TOKEN });
  expect(unset.code).toBe(0);
  expect(unset.stdout).toMatch(/unknown +lock +not looked at: REDIS_URL is not set here/);
  expect(unset.stdout).toMatch(/ok +runner/);
  expect(unset.stdout).toContain('would be claimed');
  const env = { GITHUB_TOKEN: TOKEN, REDIS_URL: `redis://:hunter-2-secret@127.0.0.1:${await freePort()}` };
  const away = await ask(['api', '1'], env);
  expect(away.code).toBe(0);
  expect(away.stdout).toMatch(/stops here +redis +.*ECONNREFUSED/);
  expect(away.stdout).toContain('not claimed (failed: redis-unavailable)');
  expect(away.stdout).toContain('not seen: its run: ');
  expect(away.stdout).not.toContain('hunter-2-secret');
});

test('a platform that refuses: it says so, without the token, and what is on record all the same', async () => {
  const { hub, ask } = await open();
  hub.openIssue(REPOSITORY, { labels: ['agent-smith'] });
  hub.faults.inject({}, { kind: 'answer', status: 401, body: { message: `Bad ${TOKEN}` } });
  const { code, stdout } = await ask(['api', '1']);
  expect(code).toBe(0);
  expect(stdout).toMatch(/stops here +ticket +.*401/);
  expect(stdout).toContain('next: nothing until the token is right');
  expect(stdout).not.toContain(TOKEN);
});

test('a credential that the replicas hold back is not used, and what a platform says to us stays with us', async () => {
  const { hub, ask } = await open();
  hub.openIssue(REPOSITORY, { labels: ['agent-smith'] });
  hub.faults.inject({ times: 1 }, { kind: 'answer', status: 429, headers: { 'retry-after': '60' } });
  const before = await dumpOf(redis.client);
  expect((await ask(['api', '1'])).stdout).toMatch(/stops here +ticket +.*429/);
  expect(await dumpOf(redis.client)).toEqual(before);
  expect((await ask(['api', '1'])).stdout).toContain('would be claimed');

  const credential = credentialName('github', new URL(hub.url).host, { kind: 'token', token: TOKEN });
  await redis.client.hset(`agentsmith:budget:${credential}`, 'until', Date.now() + 60_000);
  const asked = hub.ledger.requests().length;
  expect((await ask(['api', '1'])).stdout).toMatch(/stops here +ticket +.*held back, the platform asked to wait/);
  expect(hub.ledger.requests()).toHaveLength(asked);
});

test('something that is no ticket of any project: a mistake of the user, and what to type', async () => {
  const { ask } = await open();
  await expect(ask(['https://github.com/else/where/issues/1'])).rejects.toThrow('is a ticket of no project');
  await expect(ask(['7'])).rejects.toThrow('name the project before the ticket');
  await expect(ask(['7'])).rejects.toBeInstanceOf(UsageError);
});

test('a URL that several sources know is explained for each; of one source the first project that takes part', async () => {
  const { hub } = await open();
  const { url } = hub.openIssue(REPOSITORY, { labels: ['agent-smith'] });
  const one = oneProject(hub.pageUrl(REPOSITORY));
  const tickets = `tickets: { type: GitHub, url: ${hub.pageUrl(REPOSITORY)}, auth: `;
  const twin = `projects:\n  off:\n    ${tickets}{ token: '' } }\n    pipeline: fix-bug`;
  const cwd = await openDir(one.replace('projects:', twin));
  const { stdout } = await captured(() => explain({ asked: [url], env: { GITHUB_TOKEN: TOKEN }, cwd, json: true }));
  expect(JSON.parse(stdout)).toMatchObject({ project: 'api', outcome: { kind: 'would-claim', project: 'api' } });
});

test('an explanation in lines: who set the label, the run, the last poll, decisions with their age', () => {
  const lines = explanationLines(
    {
      project: 'api',
      ticketId: '7',
      trigger: 'poll',
      outcome: { kind: 'not-eligible', reason: 'actor-not-allowed' },
      why: 'why',
      gates: [
        { gate: 'actor', state: 'stops here', text: 'text' },
        { gate: 'runner', state: 'not reached', text: '' },
        { gate: 'time', state: 'not reached', text: '' },
      ],
      decided: { label: 'agent-smith', by: 'mallory', project: 'api', pipeline: 'fix-bug' },
      decisions: [
        { ticket: 't', project: 'api', by: 'claim', outcome: 'claimed', detail: 'more', atMs: NOW - 600_000 },
      ],
      polling: {
        project: 'api',
        trouble: 'trouble',
        last: {
          project: 'api',
          by: 'pod-1',
          atMs: NOW - 5_000,
          durationMs: 10,
          result: 'ok',
          heldBack: false,
          retryAfterMs: undefined,
          discovered: 3,
          pending: 1,
          claimed: 2,
          skipped: { 'not-eligible: closed': 2 },
          truncated: false,
          requests: 2,
          effectiveIntervalMs: 90_000,
          engine: 'polling',
          recovered: 0,
        },
      },
      next: 'next',
      unseen: ['its run: redis is away'],
      output: 'cloning\nfatal: no such branch\n',
    },
    { nowMs: NOW, width: Number.POSITIVE_INFINITY, startLabels: [] },
  );
  expect(lines).toEqual([
    'ticket 7 of project api',
    '',
    'not claimed (not-eligible: actor-not-allowed): why',
    'next: next',
    '',
    'the gates of a claim by poll, in its order:',
    '  stops here   actor  text',
    '  not reached  runner, time',
    '',
    'label: agent-smith, set by mallory, -> pipeline fix-bug of project api',
    'last poll: 5 s ago by pod-1: ok, 3 by label, 1 pending, 2 claimed, 2 not-eligible: closed, every 90 s',
    'polling: trouble',
    'decisions, newest first:',
    '  10 min ago   claim    claimed: more',
    'not seen: its run: redis is away',
    '',
    'its pipeline wrote:',
    '  | cloning',
    '  | fatal: no such branch',
  ]);
  expect([0, 999, 59_999, 3_600_000, 200_000_000].map(ago)).toEqual([
    'just now',
    'just now',
    '59 s ago',
    '1 h ago',
    '2 d ago',
  ]);
});
