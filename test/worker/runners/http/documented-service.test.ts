/** The service that docs/runners/http.md shows is one: it is taken from the page and asked by the runner. */
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { createRedactor } from '../../../../src/foundation/redactor.ts';
import { freePort } from '../../../../src/redis/embedded/free-port.ts';
import { createHttpRunner } from '../../../../src/worker/runners/http/http-runner.ts';
import { silentLog } from '../../../support/house.ts';
import { SERVICE_SECRET } from '../../../support/http-service.ts';
import { requestFor } from '../requests.ts';

const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));
const TIMES = { heartbeatMs: 1_000, httpRetryMs: 20, httpRetryMaxMs: 50, httpNoticeMs: 2_000, trustTermMs: 20_000 };

test('the service of the page does the work of a request that we signed, and refuses one that we did not', async () => {
  const page = await readFile(path.join(ROOT, 'docs/runners/http.md'), 'utf8');
  const [, program = ''] = /```js\n([\s\S]*?)```/.exec(page) ?? [];
  const dir = await mkdtemp(path.join(os.tmpdir(), 'agent-smith-service-'));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  await writeFile(path.join(dir, 'service.mjs'), program);
  await symlink(path.join(ROOT, 'node_modules'), path.join(dir, 'node_modules'));
  const port = await freePort();
  const child = spawn(process.execPath, ['service.mjs'], {
    cwd: dir,
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { RUNNER_SECRET: SERVICE_SECRET, PORT: String(port) },
  });
  onTestFinished(() => void child.kill('SIGKILL'));

  const callbacks = { open: () => Promise.reject(new Error('no callback')), onTold: () => undefined };
  const runner = createHttpRunner({ callbacks, redactor: createRedactor(), log: silentLog }, TIMES);
  const { command: _, ...request } = requestFor();
  const http = {
    url: `http://127.0.0.1:${port}/`,
    headers: {},
    result: 'answer',
    allowAddresses: ['127.0.0.1'],
  } as const;
  const ask = (secret: string) => runner.start({ ...request, http: { ...http, secrets: [secret] } }).ended;
  expect(await ask(SERVICE_SECRET)).toMatchObject({
    kind: 'reported',
    done: true,
    result: { summary: 'Looked at "It breaks" in https://github.com/org/my-api.' },
  });
  const another = `whsec_${Buffer.alloc(32, 5).toString('base64')}`;
  expect(await ask(another)).toMatchObject({ done: false, reason: 'The service refused the run: status 401.' });
});
