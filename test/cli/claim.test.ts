/** `agent-smith claim`: one claim by hand, its answer in words or as JSON. */
import { expect, test } from 'vitest';
import { claim } from '../../src/cli/claim.ts';
import { freePort } from '../../src/redis/embedded/free-port.ts';
import { markFresh, REPOSITORY, startHub, TOKEN } from '../support/house.ts';
import { useRedis } from '../support/redis.ts';
import { captured, oneProject, openDir, runCli } from './run-cli.ts';

const redis = useRedis();

async function open() {
  await markFresh(redis.url);
  const hub = await startHub();
  const dir = await openDir(oneProject(hub.pageUrl(REPOSITORY)));
  const env = { GITHUB_TOKEN: TOKEN, REDIS_URL: redis.url };
  return {
    hub,
    dir,
    env,
    /** As a process. */
    cli: (...args: string[]) => runCli(['claim', ...args], { dir, env }),
    /** In this process. */
    ask: (ticket: string, { json = false } = {}) =>
      captured(() => claim({ project: 'api', ticket, json, env, cwd: dir })),
  };
}

test('a labelled ticket is claimed, by number or by URL; once more it is claimed already', async () => {
  const { hub, cli, ask } = await open();
  const [one, two] = [1, 2].map(() => hub.openIssue(REPOSITORY, { labels: ['agent-smith'] }));
  const first = await cli('api', String(one?.number));
  expect(first.stdout).toMatch(/^claimed.* \(run [0-9A-Z]{26}\)/);
  expect(first).toMatchObject({ code: 0, stderr: '' });
  expect(hub.issue(one?.ticket ?? '').labels).toEqual(['agent-smith', 'agent-smith:enqueued']);

  const second = await cli('api', `${hub.pageUrl(REPOSITORY)}/issues/${two?.number}`, '--json');
  expect(second.code).toBe(0);
  expect(JSON.parse(second.stdout)).toMatchObject({ outcome: 'claimed', project: 'api', pipeline: 'fix-bug' });

  const again = await ask(String(one?.number));
  expect(again.code).toBe(0);
  expect(again.stdout).toContain('already-claimed');
});

test('a ticket that is not eligible: exit 1 and the reason as a sentence', async () => {
  const { hub, ask } = await open();
  const plain = hub.openIssue(REPOSITORY, { labels: ['bug'] });
  const answer = await ask(String(plain.number));
  expect(answer.code).toBe(1);
  expect(answer.stdout).toMatch(/^not-eligible.*: .{10,}/);
  const json = await ask(String(plain.number), { json: true });
  expect(json.code).toBe(1);
  expect(JSON.parse(json.stdout)).toMatchObject({ outcome: 'not-eligible', reason: expect.any(String) });
  expect(hub.issue(plain.ticket).labels).toEqual(['bug']);
});

test('a ticket that is not there: exit 1; something that is no ticket, an unknown project: exit 2', async () => {
  const { cli, ask } = await open();
  expect((await ask('4711')).code).toBe(1);
  const noTicket = await cli('api', 'seven');
  expect(noTicket).toMatchObject({ code: 2, stderr: expect.stringContaining('seven is no ticket of project api') });
  const noProject = await cli('apj', '7');
  expect(noProject).toMatchObject({ code: 2, stderr: expect.stringContaining('no project apj') });
  expect(noProject.stderr).toContain('api');
});

test('without REDIS_URL: exit 2 and why it is needed; a Redis that cannot be reached: exit 1 and the reason', async () => {
  const { dir } = await open();
  const unset = await runCli(['claim', 'api', '7'], { dir, env: { GITHUB_TOKEN: TOKEN } });
  expect(unset).toMatchObject({ code: 2, stderr: expect.stringContaining('REDIS_URL is not set') });
  const env = { GITHUB_TOKEN: TOKEN, REDIS_URL: `redis://:hunter-2-secret@127.0.0.1:${await freePort()}` };
  const away = await runCli(['claim', 'api', '7'], { dir, env });
  expect(away).toMatchObject({ code: 1, stderr: expect.stringMatching(/redis cannot be reached: .*ECONNREFUSED/) });
  expect(away.stderr).not.toContain('hunter-2-secret');
});

test('a platform that refuses: exit 1 and its kind, without the token', async () => {
  const { hub, cli } = await open();
  const { number } = hub.openIssue(REPOSITORY, { labels: ['agent-smith'] });
  hub.faults.inject({ path: /issues/ }, { kind: 'answer', status: 401, body: { message: `Bad ${TOKEN}` } });
  const answer = await cli('api', String(number), '--json');
  expect(answer.code).toBe(1);
  expect(JSON.parse(answer.stdout)).toMatchObject({ outcome: 'failed', failure: 'auth' });
  expect(answer.stdout + answer.stderr).not.toContain(TOKEN);
  const remembered = await redis.client.xrange('agentsmith:decisions', '-', '+');
  expect(JSON.stringify(remembered)).toContain('[redacted]');
  expect(JSON.stringify(remembered)).not.toContain(TOKEN);
});
