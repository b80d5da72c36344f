/** `agent-smith plan`: one cycle without a write, on the GitHub emulator. */
import { expect, test } from 'vitest';
import { plan } from '../../src/cli/plan.ts';
import { createGitHubEmulator } from '../../src/emulators/github/github-emulator.ts';
import { markFresh, REPOSITORY, startHub, TOKEN } from '../support/house.ts';
import { dumpOf, useRedis } from '../support/redis.ts';
import { captured, oneProject, openDir, runCli } from './run-cli.ts';

const redis = useRedis();

test('what would be claimed and what not, what it costs, and nothing is written', async () => {
  await markFresh(redis.url);
  const hub = await startHub();
  for (const labels of [['agent-smith'], ['agent-smith', 'bug'], ['agent-smith', 'agent-smith:done']]) {
    hub.openIssue(REPOSITORY, { labels });
  }
  const closed = hub.openIssue(REPOSITORY, { labels: ['agent-smith:pending'] });
  hub.closeIssue(closed.ticket);
  const idle = `  idle:
    source: { type: GitHub, url: ${hub.pageUrl('org/other')} }
    tickets: { type: GitHub, url: ${hub.pageUrl('org/other')}, auth: token }
    github_trigger: { pipeline_from_label: { other: fix-bug } }
pipelines:`;
  const dir = await openDir(oneProject(hub.pageUrl(REPOSITORY)).replace('pipelines:', idle));
  const env = { GITHUB_TOKEN: TOKEN, REDIS_URL: redis.url };
  const before = await dumpOf(redis.client);

  const text = await runCli(['plan'], { dir, env });
  expect(text).toMatchObject({ code: 0, stderr: '' });
  expect(text.stdout).toMatch(/api +2 +1 +2 +2 +\d+ +1 s +agent-smith\n/);
  expect(text.stdout).toContain(`${REPOSITORY}#1 -> fix-bug (api)`);
  expect(text.stdout).toContain(`${closed.ticket} (api)  not-eligible: closed`);
  expect(text.stdout).toContain('- idle: it is not polled');
  expect(await dumpOf(redis.client)).toEqual(before);
  expect(hub.ledger.requests().filter(({ method }) => method !== 'GET')).toEqual([]);

  const json = JSON.parse((await captured(() => plan({ project: 'api', env, cwd: dir, json: true }))).stdout);
  // Two listings, and one read of the closed ticket, each second.
  expect(json.projects).toMatchObject([
    {
      project: 'api',
      discovered: 2,
      pending: 1,
      candidates: 3,
      listingRequests: 2,
      requestsPerCycle: 3,
      requestsPerHour: 10_800,
    },
  ]);
  expect(json.projects[0].tickets.map(({ outcome }: { outcome: { kind: string } }) => outcome.kind)).toEqual([
    'would-claim',
    'would-claim',
    'not-eligible',
  ]);
  expect(json.credentials).toMatchObject([
    { projects: 1, requestsPerHour: 10_800, allowedPerHour: 900_000, tooMuch: false },
  ]);
  expect(json.left).toEqual([]);
});

test('before the first start, on a Redis that no replica has used: what would be claimed after it', async () => {
  const hub = await startHub();
  hub.openIssue(REPOSITORY, { labels: ['agent-smith'] });
  const dir = await openDir(oneProject(hub.pageUrl(REPOSITORY)));
  const env = { GITHUB_TOKEN: TOKEN, REDIS_URL: redis.url };
  const { stdout } = await captured(() => plan({ env, cwd: dir, json: false }));
  expect(stdout).toContain(`${REPOSITORY}#1 -> fix-bug (api)`);
  expect(await redis.client.dbsize()).toBe(0);
});

test('an interval that asks for more than the budget is told, and so is where the reading of candidates stopped', async () => {
  const hub = createGitHubEmulator({
    tokens: { bot: { token: TOKEN, login: 'smith-bot' } },
    repositories: [REPOSITORY],
    rateLimit: { limit: 5_000 },
  });
  await hub.start();
  try {
    for (let i = 0; i < 23; i += 1) hub.openIssue(REPOSITORY, { labels: ['agent-smith'] });
    const dir = await openDir(oneProject(hub.pageUrl(REPOSITORY)));
    const { code, stdout } = await captured(() => plan({ env: { GITHUB_TOKEN: TOKEN }, cwd: dir, json: false }));
    expect(code).toBe(0);
    expect(stdout).toContain('- api: 20 of 23 candidates were read, then it stopped');
    expect(stdout).toMatch(/! github~.*: the intervals ask for 7200 requests an hour, and 4500 are there for polls/);
    expect(stdout).toContain('runs and locks were not looked at: REDIS_URL is not set here');
  } finally {
    await hub.close();
  }
});

test('a platform that cannot be asked: exit 1 and its words; an unknown project is a mistake of the user', async () => {
  const hub = await startHub();
  const dir = await openDir(oneProject(hub.pageUrl(REPOSITORY)));
  hub.faults.inject({}, { kind: 'answer', status: 503 });
  const env = { GITHUB_TOKEN: TOKEN };
  const down = await captured(() => plan({ env, cwd: dir, json: false }));
  expect(down).toMatchObject({ code: 1, stdout: expect.stringMatching(/! api: .*503.*\n +-> agent-smith doctor/) });
  await expect(plan({ project: 'apj', env, cwd: dir, json: false })).rejects.toThrow('no project apj');
});

test('a platform that answers nobody is not asked for every project; the rest is named', async () => {
  const hub = await startHub();
  const url = hub.pageUrl(REPOSITORY);
  await hub.close();
  const project = (number: number): string =>
    `  p${number}: { tickets: { type: GitHub, url: "${url}-${number}" }, polling: { enabled: true } }\n`;
  const text = `projects:\n${Array.from({ length: 40 }, (_, index) => project(index)).join('')}`;
  const dir = await openDir(text);
  const { code, stdout } = await captured(() => plan({ env: { GITHUB_TOKEN: TOKEN }, cwd: dir, json: true }));
  expect(code).toBe(1);
  const { projects, left } = JSON.parse(stdout);
  expect(projects.length).toBeLessThan(20);
  expect(projects.length + left.length).toBe(40);
  expect(left.at(-1).why).toMatch(/^not asked: /);
});
