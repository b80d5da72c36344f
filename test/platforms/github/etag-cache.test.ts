import { expect, test } from 'vitest';
import type { Ticket } from '../../../src/domain/ticket.ts';
import { createEtagCache, type KnownPage } from '../../../src/platforms/github/etag-cache.ts';

const ticket = (n: number): Ticket => ({
  key: `github~github.com~org%2Frepo~${n}`,
  id: String(n),
  display: `org/repo#${n}`,
  url: `https://github.com/org/repo/issues/${n}`,
  title: `A ticket with a title of some length, number ${n}`,
  body: '',
  labels: ['fix', 'bug'],
  open: true,
});

const page = (size: number): KnownPage => ({
  etag: 'W/"0123456789abcdef"',
  tickets: Array.from({ length: size }, (_, n) => ticket(n)),
  next: undefined,
});

const fill = (pages: number, size: number) => {
  const cache = createEtagCache();
  for (let n = 0; n < pages; n += 1)
    cache.set(`https://api.github.com/repos/org/repo-${n}/issues?labels=fix`, page(size));
  return cache;
};

test('keeps the idle listings of a thousand projects in a megabyte', () => {
  const cache = fill(2_000, 0);
  expect(cache.size).toBe(2_000);
  expect(cache.calculatedSize).toBeLessThan(1024 * 1024);
});

test('forgets the pages that were used longest ago when they are too large or too many', () => {
  const large = fill(2_000, 100);
  expect(large.size).toBeLessThan(2_000);
  expect(large.size).toBeGreaterThan(500);
  expect(large.calculatedSize).toBeLessThanOrEqual(48 * 1024 * 1024);
  expect(large.has('https://api.github.com/repos/org/repo-1999/issues?labels=fix')).toBe(true);
  expect(large.has('https://api.github.com/repos/org/repo-0/issues?labels=fix')).toBe(false);
  expect(fill(10_001, 0).size).toBe(10_000);
});
