/** What a walk over the pages of a listing says when it could not see them. */
import { expect, test } from 'vitest';
import { PlatformError } from '../../src/platforms/contract.ts';
import { walkPages } from '../../src/platforms/walk-pages.ts';

test('time that is over before the first page is a problem, never a listing of nothing', async () => {
  const platform = {
    listTickets: () => Promise.reject(new PlatformError('unavailable', 'its time is over', { effect: 'none' })),
  };
  const call = { purpose: 'discovery', deadlineMs: 0, signal: new AbortController().signal } as const;
  const walk = await walkPages(platform, { labels: ['agent-smith'], state: 'open' }, { next: undefined }, call);
  expect(walk).toMatchObject({ tickets: [], truncated: false, problem: { kind: 'unavailable' } });
});
