/**
 * What the receiver is compared with: the least that a webhook route may do, which is to check the signature and to put
 * the delivery where it survives. It does not even look into the body. Arguments: URL of Redis, stream, secret.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { fastify } from 'fastify';
import { Redis } from 'ioredis';
import { answerCpuTime } from './cpu-time.ts';

/** All bodies together would fill the memory of the machine. */
const MOST_KEPT = 10_000;

const [redisUrl = '', stream = '', secret = ''] = process.argv.slice(2);
const redis = new Redis(redisUrl);
const app = fastify({ logger: false });
app.removeAllContentTypeParsers();
app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
app.post('/webhook/github', async ({ headers, body }, reply) => {
  const given = Buffer.from(String(headers['x-hub-signature-256']));
  const due = Buffer.from(
    `sha256=${createHmac('sha256', secret)
      .update(body as Buffer)
      .digest('hex')}`,
  );
  if (given.length !== due.length || !timingSafeEqual(given, due)) return await reply.code(401).send({ error: 'no' });
  const delivery = String(headers['x-github-delivery']);
  const event = String(headers['x-github-event']);
  await redis.xadd(stream, 'MAXLEN', '~', MOST_KEPT, '*', 'delivery', delivery, 'event', event, 'body', body as Buffer);
  return await reply.code(202).send({ delivery });
});
const address = await app.listen({ host: '127.0.0.1', port: 0 });
answerCpuTime(Number(new URL(address).port), async () => {
  await app.close();
  redis.disconnect();
});
