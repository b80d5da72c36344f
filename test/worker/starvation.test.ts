/** A project with thousands of tickets beside one that has its first: on real replicas, judged by when their runs started. */
import path from 'node:path';
import { expect, test } from 'vitest';
import type { Project } from '../../src/domain/project.ts';
import { ticketKey } from '../../src/domain/ticket.ts';
import { commitRun } from '../runs/bulk-runs.ts';
import { openHouse, plainProject, REPOSITORY, startHub } from '../support/house.ts';
import { useRedis } from '../support/redis.ts';
import { openSite } from '../support/replica.ts';
import { until } from '../support/until.ts';

const redis = useRedis();
const SCENE_MS = 120_000;
const BACKLOG = 1_500;
/** More than are worked on while the test lasts. The others of the backlog are on record alone. */
const REAL_TICKETS = 60;
const REPLICAS = 2;
const OTHER = 'org/other';
/** The least that there can be: whoever waits, waits for a whole job. */
const ONE_SLOT = 'agent: { queue: { max_parallel_jobs: 1, consume_block_seconds: 1 } }';

const watching = (name: string, url: string): string => `
  ${name}:
    source: { type: GitHub, url: ${url} }
    tickets: { type: GitHub, url: ${url}, auth: token }
    github_trigger: { pipeline_from_label: { agent-smith: fix-bug } }
    polling: { enabled: true, interval_seconds: 1 }`;

test('the first run of a project starts within one job time, however many of another project wait', {
  timeout: SCENE_MS,
}, async () => {
  const hub = await startHub();
  const plain = plainProject(hub);
  const many: Project = { ...plain, name: 'many' };
  const few: Project = { ...plain, name: 'few', source: { ...plain.source, container: OTHER } };
  const house = await openHouse({ redisUrl: redis.url, hub, projects: () => [many, few], freeSlots: 0 });
  const site = await openSite({
    redisUrl: redis.url,
    yaml: ONE_SLOT,
    work: 'sleep 0.4',
    projects: [watching('many', hub.pageUrl(REPOSITORY)), watching('few', hub.pageUrl(OTHER))].join(''),
  });
  const policy = JSON.stringify({ command: [path.join(site.dir, 'pipelines', 'fix-bug.sh')] });
  for (let n = 0; n < REAL_TICKETS; n += 1) {
    hub.openIssue(REPOSITORY, { labels: ['agent-smith', 'agent-smith:enqueued'] });
  }
  const ids = Array.from({ length: BACKLOG }, (_, n) => ({ id: `many-${n + 1}`, ticketId: String(n + 1) }));
  for (let at = 0; at < BACKLOG; at += 100) {
    const wanted = { project: 'many', pipeline: 'fix-bug', policy };
    await Promise.all(ids.slice(at, at + 100).map((id) => commitRun(house, house.catalog, { ...wanted, ...id })));
  }
  expect((await house.admissions.backlogs(['many'])).get('many')).toMatchObject({ waiting: BACKLOG - 1, admitted: 1 });

  for (let n = 0; n < REPLICAS; n += 1) await site.start();
  const started = async (project: string) =>
    (await site.ledger()).filter((line) => line.event === 'start' && line.project === project);
  await until('the many are at work', async () => (await started('many')).length > REPLICAS, SCENE_MS);
  const { number } = hub.openIssue(OTHER, { labels: ['agent-smith'] });
  await until('the one has ended', () => hub.issue(`${OTHER}#${number}`).labels.includes('agent-smith:done'), SCENE_MS);

  const run = await house.runs.ofTicket(ticketKey(few.source, String(number)));
  const { queuedAtMs = 0, startedAtMs = 0 } = run ?? {};
  expect(startedAtMs).toBeGreaterThan(queuedAtMs);
  const ofMany = await Promise.all((await started('many')).map(({ run: id }) => house.runs.get(id)));
  const goneBefore = ofMany.filter((one) => {
    const atMs = one?.startedAtMs ?? 0;
    return atMs > queuedAtMs && atMs < startedAtMs;
  });
  // One for each slot may have been on its way there already.
  expect(goneBefore.length).toBeLessThanOrEqual(REPLICAS);
  expect((await started('many')).length).toBeLessThan(REAL_TICKETS);
});
