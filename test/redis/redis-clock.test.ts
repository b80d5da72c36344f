import { expect, test } from 'vitest';
import { createRedisClock } from '../../src/redis/redis-clock.ts';
import { heldFor } from '../support/held-answer.ts';
import { useRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';

const redis = useRedis();
const HOUR_MS = 3_600_000;

const ownMs = (): number => performance.timeOrigin + performance.now();

test('it goes by Redis as soon as that has answered, and by its last answer while it is away', async () => {
  let asked = 0;
  let isAway = false;
  const timeMs = async (): Promise<number> => {
    asked += 1;
    if (isAway) throw new Error('redis is away');
    const [seconds] = await redis.client.time();
    return Number(seconds) * 1000 + HOUR_MS;
  };
  const clock = createRedisClock({ timeMs }, { traceClockMs: 1 });
  expect(Math.abs(clock.nowMs() - ownMs())).toBeLessThan(60_000);

  const closing = new AbortController();
  const keeping = clock.keep(closing.signal);
  await until('it has asked', () => asked > 2);
  isAway = true;
  const before = asked;
  await until('it has asked in vain', () => asked > before + 2);
  expect(Math.abs(clock.nowMs() - HOUR_MS - ownMs())).toBeLessThan(60_000);
  closing.abort();
  await keeping;
});

test('of the answers of one round the quickest counts: what waited for a connection tells less', async () => {
  const slowMs = 10 * HOUR_MS;
  const answers = [heldFor(200, async () => slowMs)];
  const timeMs = async (): Promise<number> => (await answers.shift()?.()) ?? HOUR_MS;
  const clock = createRedisClock({ timeMs }, { traceClockMs: HOUR_MS });
  const closing = new AbortController();
  const keeping = clock.keep(closing.signal);
  await until('it has asked three times', () => Math.abs(clock.nowMs() - HOUR_MS) < 60_000);
  closing.abort();
  await keeping;
  expect(clock.nowMs()).toBeLessThan(slowMs);
});
