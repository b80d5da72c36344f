/** examples/http: the service as a process of its own, asked as the http runner asks, with the library of Standard Webhooks. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Webhook } from 'standardwebhooks';
import { expect, onTestFinished, test } from 'vitest';
import { until } from '../support/until.ts';

const SERVICE = fileURLToPath(new URL('../../examples/http/service.mjs', import.meta.url));
const SECRET = `whsec_${Buffer.from('a-secret-of-the-example-tests').toString('base64')}`;
const RUN = '01K4A8Y5S0ZQ3E9M7T2V6B1CDF';

interface Service {
  readonly url: string;
  readonly child: ChildProcess;
  readonly dir: string;
  /** Lines that the program wrote into its file `calls`. */
  calls(): number;
}

interface Start {
  /** Of a service that was there before: what it kept is kept. */
  readonly dir?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** `script` finds its folder in `$D`. */
async function startService(script: string, { dir = newFolder(), env = {} }: Start = {}): Promise<Service> {
  const own = { WEBHOOK_SECRET: SECRET, PORT: '0', STATE_DIR: path.join(dir, 'answers'), D: dir, TMPDIR: dir };
  const child = spawn(process.execPath, [SERVICE, 'sh', '-c', script], {
    env: { PATH: process.env['PATH'], ...own, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  });
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
  const file = path.join(dir, 'calls');
  const calls = (): number => (existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n').length : 0);
  return { url: line.replace('listening on ', ''), child, dir, calls };
}

function newFolder(): string {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'example-test-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

interface Ask {
  readonly run?: string;
  readonly type?: string;
  readonly secrets?: readonly string[];
  readonly at?: Date;
  readonly key?: string;
  readonly tamper?: (body: string) => string;
}

async function ask({ url }: Service, options: Ask = {}): Promise<{ status: number; body: unknown }> {
  const { run = RUN, type = 'agentsmith.run.requested', secrets = [SECRET], at = new Date(), key = run } = options;
  const body = JSON.stringify({ type, run, attempt: 1, id: '7', title: 'It breaks', source: { type: 'GitHub' } });
  const id = `${run}-1`;
  const answer = await fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'idempotency-key': key,
      'webhook-id': id,
      'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
      'webhook-signature': secrets.map((secret) => new Webhook(secret).sign(id, at, body)).join(' '),
    },
    body: options.tamper?.(body) ?? body,
  });
  return { status: answer.status, body: await answer.json() };
}

/** Asks again and again, as the runner does. */
function whenOver(service: Service): Promise<{ status: number; body: unknown }> {
  return until('it is over', async () => {
    const answer = await ask(service);
    return answer.status === 200 ? answer : undefined;
  });
}

const OTHER_SECRET = `whsec_${Buffer.from('a-secret-that-nobody-knows-here').toString('base64')}`;

test('a signed run is worked on, and its answer is what the program says of it', async () => {
  const told = '{"summary":"Fixed.","links":[{"title":"Pull request 12","url":"https://github.com/org/api/pull/12"}]}';
  const service = await startService(
    `cat >"$D/input"; printf '%s' '${told}' >"$AGENTSMITH_RESULT_FILE"; env >"$D/env"`,
  );
  expect(await ask(service)).toEqual({ status: 200, body: { state: 'done', ...(JSON.parse(told) as object) } });
  expect(JSON.parse(readFileSync(path.join(service.dir, 'input'), 'utf8'))).toMatchObject({
    run: RUN,
    title: 'It breaks',
  });
  expect(readFileSync(path.join(service.dir, 'env'), 'utf8')).not.toContain('whsec_');
  expect(readdirSync(service.dir).filter((name) => name.startsWith('run-'))).toEqual([]);
});

test('without a result of its own what it printed is the summary, and another exit code is a failure', async () => {
  const service = await startService('jq -r .title 2>/dev/null || cat >/dev/null; echo looked; exit 3');
  expect(await ask(service)).toEqual({
    status: 200,
    body: { state: 'failed', reason: 'it ended with 3', summary: expect.stringMatching(/looked$/) },
  });
  const missing = spawn(process.execPath, [SERVICE], { env: { WEBHOOK_SECRET: SECRET }, stdio: 'ignore' });
  expect(await once(missing, 'exit')).toEqual([2, null]);
});

test('what is not signed with its secret, or long ago, or for something else, starts nothing', async () => {
  const service = await startService('echo called >>"$D/calls"');
  const wrong: readonly Ask[] = [
    { secrets: [OTHER_SECRET] },
    { secrets: [] },
    { at: new Date(Date.now() - 600_000) },
    { at: new Date(Date.now() + 600_000) },
    { tamper: (body) => body.replace('"7"', '"8"') },
  ];
  for (const one of wrong) expect(await ask(service, one)).toMatchObject({ status: 401 });
  expect(await ask(service, { key: 'another' })).toMatchObject({ status: 400 });
  expect(await ask(service, { type: 'something.new' })).toMatchObject({ status: 400 });
  expect((await fetch(service.url)).status).toBe(405);
  expect(service.calls()).toBe(0);
  // While the secret is changed there are two signatures.
  expect(await ask(service, { secrets: [OTHER_SECRET, SECRET] })).toMatchObject({ status: 200 });
});

test('one key is worked on once: asked twice at once, asked again, and asked after a restart', async () => {
  const first = await startService('echo called >>"$D/calls"; cat >/dev/null; echo "it is $$"');
  const [one, two] = await Promise.all([ask(first), ask(first)]);
  expect(two).toEqual(one);
  expect(await ask(first)).toEqual(one);
  first.child.kill('SIGTERM');
  await once(first.child, 'exit');
  const second = await startService('echo called >>"$D/calls"', { dir: first.dir });
  expect(await ask(second)).toEqual(one);
  expect(second.calls()).toBe(1);
  expect(await ask(second, { run: 'another' })).toMatchObject({ status: 200 });
  expect(second.calls()).toBe(2);
});

test('long work is answered at once as running, and told when it is asked for again', async () => {
  const service = await startService('until [ -e "$D/go" ]; do sleep 0.02; done; echo gone', {
    env: { ANSWER_SECONDS: '0.05' },
  });
  expect(await ask(service)).toEqual({ status: 202, body: { state: 'running' } });
  writeFileSync(path.join(service.dir, 'go'), '');
  expect((await whenOver(service)).body).toEqual({ state: 'done', summary: 'gone' });
});

test('a run that was at work when the service left, or was killed, is started again when it is asked for again', async () => {
  const script = 'echo called >>"$D/calls"; until [ -e "$D/go" ]; do sleep 0.02; done; echo gone';
  let service = await startService(script, { env: { ANSWER_SECONDS: '0.05' } });
  const { dir } = service;
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    const before = service.calls();
    expect(await ask(service)).toMatchObject({ status: 202 });
    await until('the program is at work', () => service.calls() > before);
    service.child.kill(signal);
    await once(service.child, 'exit');
    service = await startService(script, { dir, env: { ANSWER_SECONDS: '0.05' } });
  }
  expect(await ask(service)).toMatchObject({ status: 202 });
  writeFileSync(path.join(dir, 'go'), '');
  expect((await whenOver(service)).body).toEqual({ state: 'done', summary: 'gone' });
  expect(service.calls()).toBe(3);
});

test('a cancelled run is stopped, and stays cancelled', async () => {
  const service = await startService('echo called >>"$D/calls"; exec sleep 60', { env: { ANSWER_SECONDS: '0.05' } });
  expect(await ask(service)).toMatchObject({ status: 202 });
  expect(await ask(service, { type: 'agentsmith.run.cancelled' })).toMatchObject({ status: 200 });
  expect((await whenOver(service)).body).toEqual({ state: 'failed', reason: 'cancelled' });
  expect(service.calls()).toBe(1);
});
