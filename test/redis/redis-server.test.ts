/** Looks for servers on a PATH of our own, with a Debian whose apt and dpkg are small scripts: no network is used. */
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { findRedisServer, type RedisServer } from '../../src/redis/embedded/redis-server.ts';

const SERVER = 'echo "Redis server v=7.0.15 sha=00000000:0 malloc=libc bits=64"';
const OLD_SERVER = 'echo "Redis server v=6.0.16 sha=00000000:0 malloc=libc bits=64"';
const BROKEN_SERVER = 'echo "libssl.so.3: cannot open shared object file" >&2; exit 127';

/** Leaves one package where apt leaves them, as found in its -o Dir::Cache option. */
const APT = `
echo "$@" >> "$(dirname "$0")/apt.log"
for arg; do case "$arg" in Dir::Cache=*) cache="\${arg#Dir::Cache=}" ;; install) touch "$cache/archives/redis-tools.deb" ;; esac; done`;

/** Unpacks a server that runs only with the library path that belongs to it. */
const DPKG = `
[ "$1" = --extract ] || exit 0
mkdir -p "$3/usr/bin" "$3/usr/lib/x86_64-linux-gnu"
cat > "$3/usr/bin/redis-check-rdb" <<'SERVER'
#!/bin/sh
case "$LD_LIBRARY_PATH" in */usr/lib/x86_64-linux-gnu) ${SERVER} ;; *) ${BROKEN_SERVER} ;; esac
SERVER
chmod +x "$3/usr/bin/redis-check-rdb"`;

let bin: string;
let cacheDir: string;

beforeEach(async () => {
  const dir = await mkdtemp(path.join(tmpdir(), 'agentsmith-test-'));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  bin = path.join(dir, 'bin');
  cacheDir = path.join(dir, 'cache');
  await mkdir(bin);
  vi.stubEnv('PATH', bin);
  onTestFinished(() => void vi.unstubAllEnvs());
});

async function program(name: string, script: string): Promise<string> {
  const file = path.join(bin, name);
  await writeFile(file, `#!/bin/sh\nPATH=/usr/bin:/bin\n${script}\n`);
  await chmod(file, 0o755);
  return file;
}

function find(mode?: string): Promise<RedisServer> {
  return findRedisServer({ cacheDir, mode, report: () => undefined });
}

test('a server on PATH is preferred', async () => {
  await program('redis-server', SERVER);
  await program('apt-get', APT);
  await program('dpkg', DPKG);
  expect(await find()).toEqual({ program: 'redis-server', env: {}, version: [7, 0] });
});

test('valkey serves when there is no redis', async () => {
  await program('valkey-server', 'echo "Valkey server v=8.0.1 sha=00000000:0"');
  expect(await find()).toMatchObject({ program: 'valkey-server', version: [8, 0] });
});

test('a server that is too old, or does not run, is passed over', async () => {
  await program('redis-server', OLD_SERVER);
  await program('valkey-server', BROKEN_SERVER);
  await program('apt-get', APT);
  await program('dpkg', DPKG);
  expect((await find()).program).toContain(cacheDir);
});

test('download passes over PATH, works in folders of its own, and happens once', async () => {
  await program('redis-server', SERVER);
  await program('apt-get', APT);
  await program('dpkg', DPKG);
  const found = await find('download');
  expect(found.program).toContain(cacheDir);
  expect(await find('download')).toEqual(found);
  const calls = (await readFile(path.join(bin, 'apt.log'), 'utf8'))
    .split('\n')
    .filter((line) => line.includes('Dir::'));
  expect(calls.map((line) => / (update|install) ?/.exec(line)?.[1])).toEqual(['update', 'install']);
  for (const call of calls) expect(call).toContain(`Dir::State=${cacheDir}`);
});

test('several that download at once all get a server and leave nothing behind', async () => {
  await program('apt-get', APT);
  await program('dpkg', DPKG);
  const found = await Promise.all([find(), find(), find(), find()]);
  expect(new Set(found.map((server) => server.program)).size).toBe(1);
  expect(await readdir(cacheDir)).toEqual([`redis-${process.arch}`]);
});

test('a cached server that does not run any more is fetched again', async () => {
  await program('apt-get', APT);
  await program('dpkg', DPKG);
  const { program: cached } = await find();
  await writeFile(cached, `#!/bin/sh\n${BROKEN_SERVER}\n`);
  expect((await find()).program).toBe(cached);
  expect(await readdir(cacheDir)).toEqual([`redis-${process.arch}`]);
});

test('without any the error says what was tried and names brew, apt and docker', async () => {
  await program('redis-server', OLD_SERVER);
  const error: unknown = await find().catch((thrown: unknown) => thrown);
  expect(String(error)).toMatch(/brew install redis[^]*apt-get install redis-server[^]*docker run/);
  expect(String(error)).toContain('6.0, but 6.2 or newer is needed');
  expect(String(error)).toContain('no apt-get and dpkg here');
});

test('what apt complains about reaches the user, and nothing half done stays', async () => {
  await program('apt-get', 'case "$*" in *update*) echo "E: Could not resolve deb.example" >&2; exit 100 ;; esac');
  await program('dpkg', DPKG);
  await expect(find()).rejects.toThrow('Could not resolve deb.example');
  expect(await readdir(cacheDir)).toEqual([]);
});
