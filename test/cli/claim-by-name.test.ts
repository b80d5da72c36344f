/** People name a ticket as they see it (`ABC-7`); its lock and its record are those of its id. */
import { expect, onTestFinished, test } from 'vitest';
import { stringify } from 'yaml';
import { claim } from '../../src/cli/claim.ts';
import { explain } from '../../src/cli/explain.ts';
import { createJiraEmulator } from '../../src/emulators/jira/jira-emulator.ts';
import { jiraProject } from '../../src/emulators/jira/jira-project.ts';
import { markFresh } from '../support/house.ts';
import { dumpOf, useRedis } from '../support/redis.ts';
import { captured, openDir } from './run-cli.ts';

const redis = useRedis();
const TOKEN = 'a-secret-of-the-tests';

async function open() {
  await markFresh(redis.url);
  const server = createJiraEmulator({
    deployment: 'data_center',
    accounts: { smith: { token: TOKEN } },
    projects: ['ABC'],
  });
  await server.start();
  onTestFinished(() => server.close());
  const project = jiraProject(server, 'ABC', { token: TOKEN });
  const api = {
    tickets: { ...project.tickets, auth: 'token' },
    jira_trigger: { pipeline_from_label: { 'agent-smith': 'fix-bug' } },
    polling: { enabled: true },
  };
  const cwd = await openDir(stringify({ projects: { api }, pipelines: { 'fix-bug': { command: ['true'] } } }));
  return { project, cwd, env: { ...project.environment, REDIS_URL: redis.url } };
}

test('claimed by its name or by its id, a ticket is the same ticket; explain says so beforehand and afterwards', async () => {
  const { project, cwd, env } = await open();
  const { id, ticket } = project.openTicket({ labels: ['agent-smith'] });
  expect(ticket).toMatch(/^ABC-\d+$/);
  const ask = async () =>
    JSON.parse((await captured(() => explain({ asked: ['api', ticket], json: true, env, cwd }))).stdout);
  const before = await dumpOf(redis.client);
  expect(await ask()).toMatchObject({ ticketId: id, outcome: { kind: 'would-claim' } });
  expect(await dumpOf(redis.client)).toEqual(before);
  expect(project.ledger.requests().filter(({ method }) => method !== 'GET')).toEqual([]);

  const claimed = await captured(() => claim({ project: 'api', ticket, json: true, env, cwd }));
  expect(JSON.parse(claimed.stdout)).toMatchObject({ outcome: 'claimed' });
  const keys = await redis.client.keys('agentsmith:ticket:*');
  expect(keys).toEqual([expect.stringMatching(new RegExp(`~${id}$`))]);
  const again = await captured(() => claim({ project: 'api', ticket: id, json: true, env, cwd }));
  expect(JSON.parse(again.stdout)).toMatchObject({ outcome: 'already-claimed' });
  expect(await ask()).toMatchObject({ ticketId: id, outcome: { kind: 'already-claimed' }, run: { display: ticket } });
});

test('a name that the platform does not know is claimed under no key at all', async () => {
  const { cwd, env } = await open();
  const { code, stdout } = await captured(() => claim({ project: 'api', ticket: 'ABC-4711', json: true, env, cwd }));
  expect(code).toBe(1);
  expect(JSON.parse(stdout)).toMatchObject({ outcome: 'not-eligible', reason: 'gone' });
  expect(await redis.client.keys('agentsmith:*:*abc*')).toEqual([]);
});
