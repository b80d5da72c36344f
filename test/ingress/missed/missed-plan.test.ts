import { expect, test } from 'vitest';
import type { MissedGap } from '../../../src/coordination/missed-board.ts';
import { gapText, isNews, isWorthTelling, reachedMs } from '../../../src/ingress/missed/missed-plan.ts';
import { isOurAddress, type WebhookAddress } from '../../../src/ingress/missed/webhook-address.ts';
import type { MissedDelivery } from '../../../src/platforms/missed-deliveries.ts';
import { taker } from './missing.ts';

const HOUR_MS = 3_600_000;
const at = (atMs: number): MissedDelivery => ({
  id: String(atMs),
  hook: undefined,
  atMs,
  again: async () => undefined,
});

test.each([
  [
    'all is done: its own begin, less what clocks differ and what platforms wait',
    { missed: [at(5)], truncated: false },
    [],
    HOUR_MS - 300_000,
  ],
  ['there was more: the last that it was shown', { missed: [at(5), at(7)], truncated: true }, [], 7],
  [
    'some are to be tried again: the first of them',
    { missed: [at(5), at(7), at(9)], truncated: true },
    [at(9), at(7)],
    7,
  ],
])('how far a pass came when %s', (_, answer, open, reached) => {
  expect(reachedMs(HOUR_MS, answer, open)).toBe(reached);
});

const gapOf = (more: Partial<MissedGap>): MissedGap => ({
  atMs: 0,
  downMs: 0,
  found: 1,
  recovered: 1,
  relevant: 0,
  notArrived: 0,
  ...more,
});

test.each([
  [{ downMs: 252_000, recovered: 7, relevant: 2 }, 'down 4 min 12 s, 7 deliveries recovered, 2 relevant', true],
  [{ relevant: 1 }, '1 delivery recovered, 1 relevant', true],
  [{ recovered: 0, notArrived: 1 }, '0 deliveries recovered, 0 relevant, 1 not arrived yet', true],
  [{ downMs: 60_000 }, 'down 1 min, 1 delivery recovered, 0 relevant', true],
  // Changes that concern nobody while we were up, as those that are found by their time alone.
  [{ recovered: 5 }, '5 deliveries recovered, 0 relevant', false],
  [{ found: 0, recovered: 0, downMs: 60_000 }, 'down 1 min, 0 deliveries recovered, 0 relevant', false],
])('%o: %s', (more, text, isTold) => {
  expect(gapText(gapOf(more))).toBe(text);
  expect(isWorthTelling(gapOf(more))).toBe(isTold);
});

test('what goes on not arriving is told of once, what is recovered each time', () => {
  const broken = gapOf({ recovered: 0, notArrived: 1 });
  expect(isNews(broken, undefined)).toBe(true);
  expect(isNews({ ...broken, atMs: 600_000 }, broken)).toBe(false);
  expect(isNews({ ...broken, atMs: 86_400_000 }, broken)).toBe(true);
  expect(isNews(gapOf({ relevant: 1, notArrived: 1, atMs: 600_000 }), broken)).toBe(true);
});

const anywhere: WebhookAddress = { paths: ['/webhook', '/hooks/'], publicUrl: undefined };
const behindProxy: WebhookAddress = { paths: ['/webhook'], publicUrl: 'https://ci.example.com/agents/' };

test.each([
  ['https://ci.example.com/webhook/github', anywhere, true],
  ['https://ci.example.com/webhook/github/', anywhere, true],
  ['http://10.0.0.1:8081/hooks/github/api', anywhere, true],
  ['https://ci.example.com/webhook/github/web', anywhere, true],
  ['https://ci.example.com/webhook/github/other', anywhere, false],
  ['https://ci.example.com/webhook/gitlab', anywhere, false],
  ['https://ci.example.com/jenkins/webhook/github', anywhere, false],
  ['https://ci.example.com/github-webhook/', anywhere, false],
  ['no address', anywhere, false],
  ['', anywhere, false],
  ['https://ci.example.com/agents/webhook/github', behindProxy, true],
  ['https://CI.example.com/webhook/github', behindProxy, true],
  ['https://other.example.com/agents/webhook/github', behindProxy, false],
  [
    'https://ci.example.com/agents/webhook/github',
    { ...behindProxy, publicUrl: 'https://ci.example.com/agents/webhook' },
    true,
  ],
  ['https://ci.example.com/webhook/github', { ...behindProxy, publicUrl: 'no address' }, false],
])('%s sends to %o: %s', (url, ours, expected) => {
  expect(isOurAddress(url, [taker('api'), taker('web')], ours)).toBe(expected);
});
