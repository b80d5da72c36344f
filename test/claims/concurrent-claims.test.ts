/** Many at once, from several real processes: one ticket becomes one run, and its label is written once. */
import { expect, test } from 'vitest';
import type { ClaimOutcome } from '../../src/claims/claim-outcome.ts';
import type { Project } from '../../src/domain/project.ts';
import { sourceKey } from '../../src/domain/ticket.ts';
import { DEFAULT_TIMING } from '../../src/domain/timing.ts';
import { resolveGitHubSource } from '../../src/platforms/github/source.ts';
import { startClaimer } from '../support/claimer.ts';
import { openHouse, plainProject, REPOSITORY, startHub } from '../support/house.ts';
import { useRedis } from '../support/redis.ts';

const redis = useRedis();

const claimed = (outcomes: readonly ClaimOutcome[]) => outcomes.filter((outcome) => outcome.kind === 'claimed');

/** `processes` processes with `each` claims of every given ticket, all at once. */
async function storm(
  projects: readonly Pick<Project, 'name' | 'source'>[],
  { processes, each, ticketId }: { processes: number; each: number; ticketId: string },
): Promise<ClaimOutcome[]> {
  const claimers = await Promise.all(
    Array.from({ length: processes }, () => startClaimer({ redisUrl: redis.url, projects, timing: DEFAULT_TIMING })),
  );
  const claims = Array.from({ length: each }, (_, n) => ({
    project: projects[n % projects.length]?.name ?? '',
    ticketId,
    trigger: 'poll' as const,
  }));
  return (await Promise.all(claimers.map((claimer) => claimer.claim(claims)))).flat();
}

test('500 concurrent claims of one ticket from 4 processes: one run, one set of label writes', async () => {
  const hub = await startHub();
  const { ticket } = hub.openIssue(REPOSITORY, { labels: ['bug', 'agent-smith', 'agent-smith:pending'] });
  const project = plainProject(hub);
  const outcomes = await storm([project], { processes: 4, each: 125, ticketId: '1' });

  expect(outcomes).toHaveLength(500);
  expect(claimed(outcomes)).toHaveLength(1);
  const kinds = outcomes.map((outcome) => (outcome.kind === 'failed' ? outcome.failure : outcome.kind));
  const expected = ['claimed', 'already-claimed', 'contended'];
  expect(kinds.filter((kind) => !expected.includes(kind))).toEqual([]);
  expect(hub.ledger.requests().map(({ operation }) => operation)).toEqual([
    'issues/get',
    'issues/add-labels',
    'issues/remove-label',
  ]);
  expect(hub.issue(ticket).labels).toEqual(['bug', 'agent-smith', 'agent-smith:enqueued']);
  const house = await openHouse({ redisUrl: redis.url, hub });
  expect(await house.runs.counts()).toMatchObject({ received: 0, queued: 1 });
  expect(await house.queue.depth()).toBe(1);
});

test('the same number in two repositories: two runs', async () => {
  const hub = await startHub();
  const tickets = [REPOSITORY, 'org/other'].map((name) => hub.openIssue(name, { labels: ['agent-smith'] }).ticket);
  const project = plainProject(hub);
  const other = { name: 'other', source: { ...project.source, container: 'org/other' } };
  const outcomes = await storm([project, other], { processes: 2, each: 20, ticketId: '1' });

  const runs = claimed(outcomes).map(({ run }) => run);
  expect(new Set(runs).size).toBe(2);
  expect(runs).toHaveLength(2);
  for (const ticket of tickets) expect(hub.ledger.lifecycleHistory(ticket)).toEqual(['enqueued']);
  const house = await openHouse({ redisUrl: redis.url, hub });
  expect((await house.runs.inState('queued', { most: 9 })).map(({ display }) => display).sort()).toEqual(
    tickets.toSorted(),
  );
});

test('the same repository written in three spellings: one source, one run', async () => {
  const hub = await startHub();
  const { ticket } = hub.openIssue(REPOSITORY, { labels: ['agent-smith'] });
  const page = hub.pageUrl(REPOSITORY);
  const spellings = [page, `${page.replace(REPOSITORY, 'Org/API')}.git`, `${page}/`];
  const projects = spellings.map((url, n) => {
    const source = resolveGitHubSource({ url });
    if ('problem' in source) throw new Error(source.problem);
    return { name: `spelling-${n}`, source };
  });
  expect(new Set(projects.map(({ source }) => sourceKey(source))).size).toBe(1);
  const outcomes = await storm(projects, { processes: 2, each: 30, ticketId: '1' });

  expect(claimed(outcomes)).toHaveLength(1);
  expect(hub.ledger.lifecycleHistory(ticket)).toEqual(['enqueued']);
  const house = await openHouse({ redisUrl: redis.url, hub });
  expect(await house.runs.counts()).toMatchObject({ received: 0, queued: 1 });
});
