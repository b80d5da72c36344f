import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import type { Fault } from '../../src/emulators/faults.ts';
import { ask, runningEmulator } from './github/running-emulator.ts';

const LABELS = '/repos/org/api/issues/1/labels';
const add: RequestInit = { method: 'POST', body: JSON.stringify({ labels: ['x'] }) };

async function emulatorWithIssue() {
  const github = await runningEmulator();
  github.openIssue('org/api');
  return github;
}

test('a fault is played for what it matches, as often as it was told', async () => {
  const github = await emulatorWithIssue();
  const fault = github.faults.inject(
    { method: 'get', path: /\/issues\?/, token: 'writer', times: 2 },
    { kind: 'answer', status: 502, body: 'Bad gateway', headers: { 'retry-after': '3' } },
  );
  const list = '/repos/org/api/issues?state=all';
  expect((await ask(github)('/user')).status).toBe(200);
  expect((await ask(github, 'reader-secret')(list)).status).toBe(200);
  const first = await ask(github)(list);
  expect([first.status, first.headers.get('retry-after'), await first.text()]).toEqual([502, '3', 'Bad gateway']);
  expect((await ask(github)(list)).status).toBe(502);
  expect((await ask(github)(list)).status).toBe(200);
  expect(fault.hits).toBe(2);
  expect(github.ledger.requests({ status: 502 }).map((entry) => entry.fault)).toEqual(['answer', 'answer']);
});

test('a removed fault is over', async () => {
  const github = await emulatorWithIssue();
  const fault = github.faults.inject({}, { kind: 'html' });
  const page = await ask(github)('/user');
  expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
  fault.remove();
  expect((await ask(github)('/user')).headers.get('content-type')).toContain('json');
  github.faults.inject({}, { kind: 'html' });
  github.faults.clear();
  expect((await ask(github)('/user')).headers.get('content-type')).toContain('json');
});

test('a redirect leads to another origin', async () => {
  const github = await emulatorWithIssue();
  const elsewhere = createServer((_request, response) => response.end('elsewhere'));
  await new Promise<void>((resolve) => elsewhere.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void elsewhere.close());
  elsewhere.unref();
  const location = `http://127.0.0.1:${(elsewhere.address() as AddressInfo).port}/`;
  github.faults.inject({}, { kind: 'redirect', location });
  const followed = await ask(github)('/user', { redirect: 'follow', headers: { connection: 'close' } });
  expect(await followed.text()).toBe('elsewhere');
});

test.each<{ fault: Fault; applied: boolean; outcome: string }>([
  { fault: { kind: 'cut' }, applied: false, outcome: 'cut' },
  { fault: { kind: 'cut-inside-body' }, applied: true, outcome: 'cut' },
  { fault: { kind: 'apply-then-cut' }, applied: true, outcome: 'cut' },
])('$fault.kind breaks the connection, write applied: $applied', async ({ fault, applied, outcome }) => {
  const github = await emulatorWithIssue();
  github.faults.inject({ method: 'POST' }, fault);
  const answer = ask(github)(LABELS, add).then((response) => response.text());
  await expect(answer).rejects.toThrow(/fetch failed|terminated/);
  expect(github.issue('org/api#1').labels).toEqual(applied ? ['x'] : []);
  await github.ledger.waitFor((entry) => entry.kind === 'request' && entry.outcome === outcome);
});

test('apply-then-answer does the write and lies about it', async () => {
  const github = await emulatorWithIssue();
  github.faults.inject({ method: 'POST' }, { kind: 'apply-then-answer', status: 500 });
  expect((await ask(github)(LABELS, add)).status).toBe(500);
  expect(github.issue('org/api#1').labels).toEqual(['x']);
});

test.each([
  { kind: 'hang', applied: [] },
  { kind: 'apply-then-hang', applied: ['x'] },
] as const)('$kind lasts until the client gives up', async ({ kind, applied }) => {
  const github = await emulatorWithIssue();
  const fault = github.faults.inject({}, { kind });
  const controller = new AbortController();
  const answer = ask(github)(LABELS, { ...add, signal: controller.signal });
  expect(await fault.hit()).toMatchObject({ method: 'POST', token: 'writer' });
  controller.abort();
  await expect(answer).rejects.toThrow('aborted');
  await github.ledger.waitFor((entry) => entry.kind === 'request' && entry.outcome === 'abandoned');
  expect(github.issue('org/api#1').labels).toEqual(applied);
});

test('closing the emulator ends hanging and slow exchanges', async () => {
  const github = await emulatorWithIssue();
  const hanging = github.faults.inject({ path: /\/user/ }, { kind: 'hang' });
  const slow = github.faults.inject({ path: /\/meta/ }, { kind: 'latency', delayMs: 3_600_000 });
  const answers = [ask(github)('/user'), ask(github)('/meta')];
  await Promise.all([hanging.hit(), slow.hit()]);
  await github.close();
  const ends = await Promise.allSettled(answers);
  expect(ends.map((end) => end.status)).toEqual(['rejected', 'rejected']);
  expect(github.ledger.requests({ outcome: 'abandoned' })).toHaveLength(2);
});

test('latencies add up and come before another fault', async () => {
  const github = await emulatorWithIssue();
  const slow = github.faults.inject({}, { kind: 'latency', delayMs: 30 });
  github.faults.inject({}, { kind: 'latency', delayMs: 30 });
  github.faults.inject({}, { kind: 'answer', status: 503 });
  expect((await ask(github)('/user')).status).toBe(503);
  expect(slow.hits).toBe(1);
  expect(github.ledger.requests().at(-1)?.durationMs).toBeGreaterThanOrEqual(50);
});

test('a hit can be awaited before and after it happens, and given up', async () => {
  const github = await emulatorWithIssue();
  const fault = github.faults.inject({}, { kind: 'answer', status: 500 });
  const second = fault.hit({ count: 2 });
  await ask(github)('/user');
  await ask(github)('/meta');
  expect((await second).path).toBe('/api/v3/meta');
  expect((await fault.hit()).path).toBe('/api/v3/user');
  const controller = new AbortController();
  const third = fault.hit({ count: 3, signal: controller.signal });
  controller.abort(new Error('enough'));
  await expect(third).rejects.toThrow('enough');
});
