import { expect, onTestFinished, test } from 'vitest';
import { createListening, keepNoting } from '../../src/coordination/listening.ts';
import { openHouse, silentLog } from '../support/house.ts';
import { useRedis } from '../support/redis.ts';
import { until } from '../support/until.ts';

const redis = useRedis();
const OPTIONS = { listeningMs: 1_000 };

/** The last note is so old. */
async function silentFor(ms: number): Promise<void> {
  const [seconds] = await redis.client.time();
  await redis.client.hset('agentsmith:listening', 'at', Number(seconds) * 1000 - ms);
}

test('silences in which nobody noted are added up, short ones are none, and the first note ends none', async () => {
  const house = await openHouse({ redisUrl: redis.url });
  const [one, other] = [createListening(house.redis, OPTIONS), createListening(house.redis, OPTIONS)];
  expect(await one.downMs()).toBe(0);
  await one.note();
  await silentFor(1_500);
  await other.note();
  expect(await one.downMs()).toBe(0);

  await silentFor(60_000);
  // Whoever asks before anybody notes again is told as well.
  expect(await one.downMs()).toBeGreaterThanOrEqual(60_000);
  await other.note();
  const first = await one.downMs();
  expect(first).toBeGreaterThanOrEqual(60_000);
  await silentFor(30_000);
  await one.note();
  expect((await one.downMs()) - first).toBeGreaterThanOrEqual(30_000);
  expect(await redis.client.hlen('agentsmith:listening')).toBe(2);
});

test('a replica notes while it can take deliveries, and not while it cannot', async () => {
  const house = await openHouse({ redisUrl: redis.url });
  const stop = new AbortController();
  onTestFinished(() => stop.abort());
  let asked = 0;
  let canTake = false;
  const listening = createListening(house.redis, OPTIONS);
  const noting = keepNoting(
    {
      listening,
      canTake: () => {
        asked += 1;
        return canTake;
      },
      log: silentLog,
    },
    { listeningMs: 5 },
    stop.signal,
  );
  await until('it was asked twice', () => asked > 2);
  expect(await redis.client.exists('agentsmith:listening')).toBe(0);
  canTake = true;
  await until('it has noted', () => redis.client.exists('agentsmith:listening'));
  stop.abort();
  await noting;
});
