/** GitLab's limits, and what becomes of the token: the things that its client library gets wrong. */
import { expect, test } from 'vitest';
import { connectGitLab } from '../../../src/platforms/gitlab/adapter.ts';
import { createTransport } from '../../../src/platforms/transport.ts';
import { json, startLoopbackServer } from '../../support/loopback-server.ts';
import { callOf, failure, read } from '../conformance/calls.ts';
import { connected, PROJECT, TOKEN } from './connected.ts';

test.each([429, 502])('a %d is one request, whatever is asked, and no second one', async (status) => {
  const { server, gitlab } = await connected();
  server.openIssue(PROJECT);
  server.faults.inject({}, { kind: 'answer', status, body: 'Retry later\n' });
  const comment = gitlab.comment('1', { markdown: 'Done.', marker: '<!-- m -->' }, callOf());
  expect(await failure(comment, TOKEN)).toMatchObject({
    kind: status === 429 ? 'rate-limited' : 'unavailable',
    status,
    effect: 'none',
  });
  expect(server.ledger.totals().requests).toBe(1);
});

test('a 429 in plain text that names no time is waited for a minute, one that does for as long as it says', async () => {
  for (const [limit, waitMs] of [
    [{}, 60_000],
    [{ retryAfterSeconds: 7 }, 7_000],
  ] as const) {
    const { server, gitlab } = await connected();
    server.openIssue(PROJECT);
    server.imposePlainLimit({ times: 1, ...limit });
    expect(await failure(read(gitlab, '1'), TOKEN)).toMatchObject({ kind: 'rate-limited', retryAfterMs: waitMs });
    expect(await failure(read(gitlab, '1'), TOKEN)).toMatchObject({ kind: 'rate-limited' });
    expect(server.ledger.totals().requests).toBe(1);
  }
});

test('the window is learned from every answer, and its end before the first refusal', async () => {
  const { server, gitlab, transport } = await connected({ rateLimit: { limit: 3 } });
  server.openIssue(PROJECT);
  await read(gitlab, '1');
  expect(transport.limits.budget()).toMatchObject({ heldMs: 0, window: { limit: 3, remaining: 2, windowMs: 60_000 } });
  await read(gitlab, '1');
  await read(gitlab, '1');
  const { retryAfterMs = 0 } = await failure(read(gitlab, '1'), TOKEN);
  expect(retryAfterMs).toBeGreaterThan(0);
  expect(retryAfterMs).toBeLessThanOrEqual(62_000);
  expect(server.ledger.requests({ status: 429 })).toEqual([]);
});

test('the token goes as Authorization, and nowhere else', async () => {
  await using server = await startLoopbackServer((_, response) =>
    json(response, 200, { iid: 1, title: 'T', web_url: 'x', state: 'opened', labels: [] }),
  );
  const apiUrl = `${server.origin}/api/v4`;
  const gitlab = connectGitLab({
    source: { platform: 'gitlab', host: new URL(apiUrl).host, container: PROJECT, apiUrl },
    credential: { kind: 'token', token: TOKEN },
    transport: createTransport({ credentialId: 'smith', origin: apiUrl }),
  });
  await read(gitlab, '1');
  const [request] = server.requests;
  expect(request?.headers.authorization).toBe(`Bearer ${TOKEN}`);
  expect(request?.headers['private-token']).toBeUndefined();
  expect(request?.url).toBe('/api/v4/projects/group%2Fsub%2Fproject/issues/1');
});
