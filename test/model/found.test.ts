/** What the model has found, and corners that chance finds only now and then. */
import { afterAll, beforeAll, test } from 'vitest';
import type { RedisConnection } from '../../src/redis/connection.ts';
import { useRedis } from '../support/redis.ts';
import { connect } from './connect.ts';
import { KNOWN } from './known.ts';
import { playSequence } from './sequence.ts';

const redis = useRedis();
let connection: RedisConnection;
beforeAll(async () => {
  connection = await connect(redis.url);
});
afterAll(() => connection.close());

test.each(KNOWN)('$what', async ({ steps }) => {
  await playSequence(connection, 'known', steps);
});
