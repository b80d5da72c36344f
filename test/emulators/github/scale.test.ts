import { expect, test } from 'vitest';
import { ask, runningEmulator } from './running-emulator.ts';

test('10,000 issues in one repository are paged through without a gap', async () => {
  const github = await runningEmulator();
  for (let number = 1; number <= 10_000; number += 1) github.openIssue('org/api', { labels: ['agent-smith'] });
  const get = ask(github);
  const seen = new Set<number>();
  let next: string | undefined = '/repos/org/api/issues?labels=agent-smith&per_page=100&direction=asc';
  while (next !== undefined) {
    const response: Response = await get(next);
    for (const issue of (await response.json()) as { number: number }[]) seen.add(issue.number);
    const link: string | undefined = /<([^>]+)>; rel="next"/.exec(response.headers.get('link') ?? '')?.[1];
    next = link?.slice(github.url.length);
  }
  expect(seen.size).toBe(10_000);
});

test('an idle cycle over 1,000 repositories is all 304 and costs nothing', async () => {
  const repositories = Array.from({ length: 1000 }, (_, index) => `org/repo-${index}`);
  const github = await runningEmulator({ repositories });
  for (const name of repositories) github.openIssue(name, { labels: ['agent-smith'] });
  const get = ask(github);
  const etags = new Map<string, string>();
  const cycle = async (): Promise<void> => {
    for (let start = 0; start < repositories.length; start += 50) {
      await Promise.all(
        repositories.slice(start, start + 50).map(async (name) => {
          const known = etags.get(name);
          const headers = known === undefined ? {} : { 'if-none-match': known };
          const response = await get(`/repos/${name}/issues?labels=agent-smith`, { headers });
          await response.arrayBuffer();
          etags.set(name, response.headers.get('etag') ?? '');
        }),
      );
    }
  };
  await cycle();
  const paid = github.rateLimits.window('writer').used;
  await cycle();
  expect(github.rateLimits.window('writer').used).toBe(paid);
  expect(github.ledger.totals().byStatus).toEqual(
    new Map([
      [200, 1000],
      [304, 1000],
    ]),
  );
});
