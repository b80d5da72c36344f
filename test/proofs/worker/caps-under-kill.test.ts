/**
 * Caps of a project and of a pipeline while replicas are killed. Believed are the commands themselves: each one counts, when it has
 * begun, how many of its project and how many in all are alive.
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { openHouse, REPOSITORY, startHub } from '../../support/house.ts';
import { useRedis } from '../../support/redis.ts';
import { openSite, type Replica } from '../../support/replica.ts';
import { until } from '../../support/until.ts';

const redis = useRedis();
const SCENE_MS = 90_000;
const OTHER = 'org/other';
/** That are opened at once: more than may be worked on at once. */
const TICKETS_EACH = 3;
const PROJECT_CAP = 2;
const PIPELINE_CAP = 3;

const watching = (name: string, url: string, cap = ''): string => `
  ${name}:
    source: { type: GitHub, url: ${url} }
    tickets: { type: GitHub, url: ${url}, auth: token }
    github_trigger: { pipeline_from_label: { agent-smith: fix-bug } }
    polling: { enabled: true, interval_seconds: 1 }${cap}`;

/** Every command leaves a file with its pid while it lives: `<ledger>.<project>.<ticket>.<pid>`. */
const COUNT = `crowd() {
  n=0
  for other in "$1".*; do
    if [ -e "$other" ] && kill -0 "\${other##*.}" 2> /dev/null; then n=$((n + 1)); fi
  done
  echo "$2 $n" >> "\${LIFE%/*}/crowds"
}
crowd "\${LIFE%.*}" "$AGENTSMITH_PROJECT"
crowd "\${LIFE%.*.*}" all
sleep 0.6`;

test('no more commands than a cap allows are alive at once, whoever is killed, and all of the work is done', {
  timeout: SCENE_MS,
}, async () => {
  const hub = await startHub();
  const site = await openSite({
    redisUrl: redis.url,
    work: COUNT,
    projects: [
      watching('api', hub.pageUrl(REPOSITORY), `\n    max_parallel_jobs: ${PROJECT_CAP}`),
      watching('other', hub.pageUrl(OTHER)),
    ].join(''),
    yaml: `pipelines: { fix-bug: { command: [./pipelines/fix-bug.sh], max_parallel_jobs: ${PIPELINE_CAP} } }
agent: { queue: { max_parallel_jobs: 4, consume_block_seconds: 1 } }`,
  });
  // Its slots are nobody's: only those of the replicas count.
  const house = await openHouse({ redisUrl: redis.url, hub, freeSlots: 0 });
  const tickets: string[] = [];
  const openMore = (): void => {
    for (const repository of [REPOSITORY, OTHER])
      for (let i = 0; i < TICKETS_EACH; i += 1)
        tickets.push(hub.openIssue(repository, { labels: ['agent-smith'] }).ticket);
  };
  openMore();
  const startsOf = async (): Promise<number> => (await site.ledger()).filter(({ event }) => event === 'start').length;
  let replicas: Replica[] = await Promise.all([site.start(), site.start()]);
  for (let kill = 0; kill < 2; kill += 1) {
    const before = await startsOf();
    openMore();
    await until('more commands have begun', async () => (await startsOf()) > before + 1, 30_000);
    const [victim, ...others] = replicas;
    await victim?.end('SIGKILL');
    replicas = [...others, await site.start()];
  }
  await until(
    'all tickets are done',
    () => tickets.every((ticket) => hub.issue(ticket).labels.includes('agent-smith:done')),
    60_000,
  );

  const crowds = (await readFile(path.join(site.dir, 'crowds'), 'utf8')).trim().split('\n');
  const most = (whose: string): number =>
    Math.max(...crowds.flatMap((line) => (line.startsWith(`${whose} `) ? [Number(line.split(' ')[1])] : [])));
  expect([most('api'), most('all')]).toEqual([PROJECT_CAP, PIPELINE_CAP]);
  const ends = (await site.ledger()).filter(({ event }) => event === 'end');
  expect(new Set(ends.map(({ project, ticket }) => `${project} ${ticket}`)).size).toBe(tickets.length);
  expect((await site.ledger()).filter(({ event }) => event === 'overlap')).toEqual([]);
  expect(await house.admissions.backlogs(['api', 'other'])).toEqual(new Map());
});
