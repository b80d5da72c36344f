/**
 * A run that somebody wants to end, on real replicas: asked for at one, at work on another. Then a further one of the same
 * ticket.
 */
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { REPOSITORY, startHub } from '../support/house.ts';
import { useRedis } from '../support/redis.ts';
import { openSite, type Replica } from '../support/replica.ts';
import { until } from '../support/until.ts';

const redis = useRedis();
const TOKEN = 'known-to-the-operators';
/** Deaf to SIGTERM: it has to be killed. Later runs end at once. */
const STUBBORN = `trap '' TERM; while [ ! -e "$(dirname "$0")/go" ]; do sleep 0.02; done`;

async function post({ port }: Pick<Replica, 'port'>, route: string, body?: object) {
  const response = await fetch(`http://127.0.0.1:${port}/api${route}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' },
    body: JSON.stringify(body ?? {}),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

test('cancelled at one replica, at work on another: its command is killed, the ticket says so and rests; a retry is a new run', async () => {
  const hub = await startHub();
  const site = await openSite({ hub, redisUrl: redis.url, work: STUBBORN });
  const env = { AGENTSMITH_API_TOKEN: TOKEN };
  const replicas = await Promise.all([site.start({ env }), site.start({ env })]);
  const { ticket } = hub.openIssue(REPOSITORY, { labels: ['agent-smith'] });
  const first = await until('its command runs', async () =>
    (await site.ledger()).find(({ event }) => event === 'start'),
  );
  const elsewhere = replicas.find(({ logs }) => !logs.some(({ msg }) => msg === 'attempt started'));
  if (elsewhere === undefined) throw new Error('both replicas have started it');

  expect(await post(elsewhere, `/runs/${first.run}/retry`)).toMatchObject({ status: 409 });
  expect(await post(elsewhere, `/runs/${first.run}/cancel`, { by: 'alice' })).toEqual({
    status: 202,
    body: { state: 'running', cancel_requested: 'alice' },
  });
  await until('the ticket has failed', () => hub.issue(ticket).labels.includes('agent-smith:failed'));
  expect(existsSync(`/proc/${first.pid}`)).toBe(false);
  const comments = await until('it is explained', () => {
    const said = hub.issue(ticket).comments.map(({ body }) => body);
    return said.length > 0 ? said : undefined;
  });
  expect(comments).toEqual([expect.stringContaining('was cancelled: cancelled by alice')]);
  expect(await post(elsewhere, `/runs/${first.run}/cancel`)).toMatchObject({ status: 409 });

  await writeFile(path.join(site.dir, 'pipelines', 'go'), '');
  const polls = hub.ledger.requests({ method: 'GET' }).length;
  await until('it was looked at a few times more', () => hub.ledger.requests({ method: 'GET' }).length > polls + 6);
  expect((await site.ledger()).filter(({ event }) => event === 'start')).toHaveLength(1);

  const again = await post(elsewhere, `/runs/${first.run}/retry`);
  expect(again).toMatchObject({ status: 200, body: { kind: 'claimed' } });
  expect(again.body['run']).not.toBe(first.run);
  await until('the ticket is done', () => hub.issue(ticket).labels.includes('agent-smith:done'));
  expect(await post(elsewhere, `/runs/${first.run}/retry`)).toMatchObject({
    status: 409,
    body: { detail: 'the ticket has a newer run' },
  });
});
