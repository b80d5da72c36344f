/**
 * Brings node_modules in line with package-lock.json, once, however many commands start at the same time.
 *
 * What is installed is read from npm's own hidden lockfile: npm writes it as the last step of an install, so an install
 * that was cut off, an older one and one made by hand are all told apart without a stamp of our own.
 */
import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { supervise } from './supervise.mjs';

/** A lock whose owner never wrote its name belongs to a process that died at birth. */
const NAMELESS_LOCK_MS = 5_000;
const LOCK_POLL_MS = 200;

/** What the user has to hear, without a stack trace. */
export class LaunchError extends Error {}

/**
 * Makes the dependencies match the lockfile. Runs `npm ci` when they do not, and says so.
 * @param {string} root folder of package.json
 * @param {(text: string) => void} say
 * @returns {Promise<void>} rejects with a LaunchError when they cannot be installed
 */
export async function ensureInstalled(root, say) {
  if (whyInstall(root) === undefined) return;
  const release = await takeLock(path.join(root, '.cache', 'install-lock'), say);
  try {
    const reason = whyInstall(root);
    if (reason === undefined) return;
    say(`${reason}: running npm ci`);
    await npmCi(root);
    const still = whyInstall(root);
    if (still !== undefined)
      throw new LaunchError(`npm ci succeeded, and yet: ${still}. Is .npmrc leaving something out?`);
    say('dependencies installed');
  } finally {
    release();
  }
}

/**
 * Why an install is needed, in words; undefined when everything is in place.
 * @param {string} root
 * @returns {string | undefined}
 */
function whyInstall(root) {
  const wanted = readPackages(path.join(root, 'package-lock.json'));
  if (wanted === undefined) throw new LaunchError(`cannot read package-lock.json in ${root}: is this a whole clone?`);
  const installed = readPackages(path.join(root, 'node_modules', '.package-lock.json'));
  if (installed === undefined) return 'dependencies are not installed';
  for (const [name, want] of Object.entries(wanted)) {
    if (name === '') continue;
    const have = installed[name];
    // Optional packages are for other machines, or failed to build here: npm leaves them out without an error.
    if (have === undefined && want.optional) continue;
    if (have?.version !== want.version || have?.integrity !== want.integrity) {
      return 'dependencies do not match package-lock.json';
    }
  }
  return undefined;
}

function readPackages(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8')).packages;
  } catch {
    return undefined;
  }
}

/** Runs npm with the Node that runs npm: ours is about to be deleted together with node_modules. */
async function npmCi(root) {
  const { npm_execpath: npm, npm_node_execpath: node } = process.env;
  const bin = path.join(root, 'node_modules', '.bin');
  const dirs = (process.env.PATH ?? '').split(path.delimiter).filter((dir) => path.resolve(dir) !== bin);
  const [program, args] =
    npm && node && !node.startsWith(path.join(root, 'node_modules')) ? [node, [npm]] : ['npm', []];
  const { code, signal } = await supervise(program, [...args, 'ci'], {
    cwd: root,
    env: { ...process.env, PATH: dirs.join(path.delimiter) },
    // Standard output belongs to the command that comes after.
    stdio: ['ignore', 2, 2],
  }).catch((cause) => {
    throw new LaunchError(`cannot run npm (${cause.message}): install it together with Node from https://nodejs.org`);
  });
  if (code === 0) return;
  const end = signal ?? `exit ${code}`;
  throw new LaunchError(`npm ci failed (${end}); its messages are above. Mend that, or run it by hand in ${root}.`);
}

/** Takes the lock, waiting for whoever holds it. Returns what gives it back. */
async function takeLock(dir, say) {
  for (let waited = false; ; waited = true) {
    if (createLock(dir)) return () => rmSync(dir, { recursive: true, force: true });
    if (isAbandoned(dir)) breakLock(dir);
    else {
      if (!waited) say('another command is installing the dependencies: waiting for it');
      await delay(LOCK_POLL_MS);
    }
  }
}

function createLock(dir) {
  try {
    mkdirSync(path.dirname(dir), { recursive: true });
  } catch (error) {
    throw cannotWrite(error);
  }
  try {
    mkdirSync(dir);
    writeFileSync(path.join(dir, 'pid'), String(process.pid));
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw cannotWrite(error);
  }
}

function cannotWrite(cause) {
  return new LaunchError(
    `cannot write to the clone (${cause.message}), and dependencies have to be installed in it. ` +
      'Make it writable, or have its owner run "npm ci".',
  );
}

function isAbandoned(dir) {
  const pid = ownerOf(dir);
  if (pid !== undefined) return !isAlive(pid);
  try {
    return Date.now() - statSync(dir).mtimeMs > NAMELESS_LOCK_MS;
  } catch {
    return false; // it was given back just now
  }
}

/** Renaming decides between several that break it at once. A lock taken anew in between is put back. */
function breakLock(dir) {
  const aside = `${dir}.${process.pid}`;
  try {
    renameSync(dir, aside);
    if (isAbandoned(aside)) rmSync(aside, { recursive: true, force: true });
    else renameSync(aside, dir);
  } catch (error) {
    if (!['ENOENT', 'EEXIST', 'ENOTEMPTY'].includes(error.code)) throw error;
  }
}

function ownerOf(dir) {
  try {
    const pid = Number(readFileSync(path.join(dir, 'pid'), 'utf8'));
    return pid > 0 ? pid : undefined;
  } catch {
    return undefined;
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}
