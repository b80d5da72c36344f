/** The image, as far as it can be proven without building it: what goes into it, and what it starts. */
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { expect, onTestFinished, test } from 'vitest';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const read = (file: string): string => readFileSync(path.join(ROOT, file), 'utf8');
const dockerfile = read('Dockerfile').replaceAll('\\\n', ' ');

test('what the Dockerfile copies is there, and is let through to the builder', () => {
  const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, files = '']) => files.split(' '));
  expect(copied).toContain('src');
  expect(copied.filter((file) => !existsSync(path.join(ROOT, file)))).toEqual([]);
  const letThrough = [...read('.dockerignore').matchAll(/^!(.+)$/gm)].map(([, file]) => file);
  expect(new Set(letThrough)).toEqual(new Set(copied));
});

test('what the image starts is there', () => {
  const started = [...dockerfile.matchAll(/"\/agent-smith\/([^"]+)"/g)].map(([, file = '']) => file);
  expect(started).toEqual(['scripts/healthcheck.mjs', 'src/cli/main.ts']);
  expect(started.filter((file) => !existsSync(path.join(ROOT, file)))).toEqual([]);
});

test('nothing is run in the last stage, and nobody is root in it', () => {
  const last = dockerfile.slice(dockerfile.lastIndexOf('\nFROM '));
  expect(last).not.toMatch(/^RUN /m);
  expect(last).toMatch(/^USER 65532:65532$/m);
});

test('the builder is given the version of the package, and the arguments as they are', async () => {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'agent-smith-builder-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  await writeFile(path.join(folder, 'podman'), '#!/bin/sh\nprintf "%s\\n" "$@"\n', { mode: 0o755 });
  const env = { PATH: [folder, process.env['PATH']].join(path.delimiter) };
  const args = [path.join(ROOT, 'scripts/build-image.mjs'), 'podman', '--tag', 'a name'];
  const { stdout } = await execa(process.execPath, args, { env });
  const { version } = JSON.parse(read('package.json')) as { version: string };
  const given = stdout.split('\n');
  expect(given.slice(0, 3)).toEqual(['build', '--build-arg', `VERSION=${version}`]);
  expect(given.slice(-3)).toEqual(['--tag', 'a name', ROOT.replace(/\/$/, '')]);
});

async function healthcheck(port: number): Promise<number | undefined> {
  const env = { PORT: String(port) };
  const script = path.join(ROOT, 'scripts/healthcheck.mjs');
  return (await execa(process.execPath, [script], { env, reject: false })).exitCode;
}

test('the health check is about /health: well while it answers 200, whatever else there is', async () => {
  let status = 200;
  const server = createServer((request, response) => {
    response.statusCode = request.url === '/health' ? status : 503;
    response.end();
  }).listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  expect(await healthcheck(port)).toBe(0);
  status = 500;
  expect(await healthcheck(port)).toBe(1);
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
  expect(await healthcheck(port)).toBe(1);
});
