/**
 * A Redis server from the packages of Debian or Ubuntu, without root: apt works in folders of its own, the packages are
 * unpacked into a cache folder instead of being installed, and the server finds its libraries there.
 *
 * Several processes may do this at once: each works in a folder of its own and renames it into place when it is whole.
 */
import { access, mkdir, mkdtemp, readdir, rename, rm, symlink } from 'node:fs/promises';
import path from 'node:path';
import { execa } from 'execa';
import type { RedisServer } from './redis-server.ts';

/** Holds the server under the name of one of its tools; the same program looks at its name to know what to be. */
const PACKAGE = 'redis-tools';
const APT_TIMEOUT_MS = 180_000;

export interface DebianRedisOptions {
  readonly cacheDir: string;
  readonly report: (message: string) => void;
  /** Runs the program and tells its version, or throws. */
  readonly probe: (program: string, env: Readonly<Record<string, string>>) => Promise<RedisServer>;
}

/** The cached server, or a newly downloaded one. Throws where there is no apt, no network, or the server does not run. */
export async function debianRedis(options: DebianRedisOptions): Promise<RedisServer> {
  const home = path.resolve(options.cacheDir, `redis-${process.arch}`);
  if (await exists(home)) {
    try {
      return await open(home, options);
    } catch {
      // The system below it has changed since. Moved aside first: another process may be looking at it too.
      options.report('the cached Redis server does not run any more: fetching it again');
      await discard(home);
    }
  }
  if (!(await hasApt())) throw new Error('no apt-get and dpkg here');
  await mkdir(options.cacheDir, { recursive: true });
  const work = await mkdtemp(`${home}-`);
  try {
    options.report(`no Redis server found: downloading one (${PACKAGE}, about 1.5 MB, into ${options.cacheDir})`);
    await install(work, path.join(work, 'root'));
    await open(path.join(work, 'root'), options);
    await moveUnlessThere(path.join(work, 'root'), home);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return open(home, options);
}

async function open(home: string, { probe }: DebianRedisOptions): Promise<RedisServer> {
  const library = path.join(home, 'usr', 'lib');
  const folders = (await readdir(library)).filter((name) => name.includes('-linux-'));
  const libraryPath = folders.map((name) => path.join(library, name)).join(path.delimiter);
  return probe(path.join(home, 'usr', 'bin', 'redis-server'), { LD_LIBRARY_PATH: libraryPath });
}

async function install(work: string, root: string): Promise<void> {
  const dirs = { lists: path.join(work, 'state', 'lists'), archives: path.join(work, 'cache', 'archives') };
  for (const dir of Object.values(dirs)) await mkdir(path.join(dir, 'partial'), { recursive: true });
  const apt = aptIn(work);
  await apt('update');
  // apt works out which libraries this system lacks. Nothing is installed.
  await apt('install', '--download-only', '--reinstall', '--no-install-recommends', '--yes', PACKAGE);
  for (const archive of await readdir(dirs.archives)) {
    if (archive.endsWith('.deb')) await execa('dpkg', ['--extract', path.join(dirs.archives, archive), root]);
  }
  const bin = path.join(root, 'usr', 'bin');
  await symlink('redis-check-rdb', path.join(bin, 'redis-server'));
}

/** apt-get with its state below `work`; what is installed on the system it still reads from there. */
function aptIn(work: string): (...args: string[]) => Promise<void> {
  const settings = {
    'Dir::State': path.join(work, 'state'),
    'Dir::State::status': '/var/lib/dpkg/status',
    'Dir::Cache': path.join(work, 'cache'),
    'Debug::NoLocking': '1',
    // As root, apt would change to a user who may not enter our folders.
    'APT::Sandbox::User': 'root',
    'Acquire::Retries': '3',
    'Acquire::http::Timeout': '20',
    'Acquire::https::Timeout': '20',
  };
  const options = Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
  return async (...args) => {
    await execa('apt-get', [...options, '--quiet', ...args], { timeout: APT_TIMEOUT_MS, stdin: 'ignore' });
  };
}

async function hasApt(): Promise<boolean> {
  const [apt, dpkg] = await Promise.all([
    execa('apt-get', ['--version'], { reject: false }),
    execa('dpkg', ['--version'], { reject: false }),
  ]);
  return !apt.failed && !dpkg.failed;
}

async function moveUnlessThere(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    if (!(await exists(to))) throw error; // otherwise another process was first, and its server is as good
  }
}

async function discard(dir: string): Promise<void> {
  const aside = await mkdtemp(`${dir}-old-`);
  await rename(dir, path.join(aside, 'root')).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error; // another process has moved it already
  });
  await rm(aside, { recursive: true, force: true });
}

function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}
