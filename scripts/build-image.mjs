/**
 * Builds the image with its labels: the version from package.json, the rest from git.
 *
 *   node scripts/build-image.mjs [docker|podman|buildah] [arguments of its build, such as --tag NAME or --build-arg NODE_IMAGE=...]
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const BUILDERS = ['docker', 'podman', 'buildah'];

/** What git says, or undefined outside of a clone. */
function git(...args) {
  try {
    return execFileSync('git', args, { cwd: ROOT, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return undefined;
  }
}

const [first, ...rest] = process.argv.slice(2);
const [builder, args] = BUILDERS.includes(first) ? [first, rest] : ['docker', process.argv.slice(2)];
const { version } = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8'));
const isChanged = git('status', '--porcelain') !== '';
const labels = {
  VERSION: version,
  REVISION: git('rev-parse', 'HEAD')?.concat(isChanged ? '-dirty' : ''),
  // The time of the commit, not of the build: the same source makes the same label.
  CREATED: git('log', '-1', '--format=%cI'),
  SOURCE: git('config', '--get', 'remote.origin.url')?.replace(/\/\/[^@/]*@/, '//'),
};
const buildArgs = Object.entries(labels).flatMap(([name, value]) => (value ? ['--build-arg', `${name}=${value}`] : []));
const { status, error } = spawnSync(builder, ['build', ...buildArgs, ...args, ROOT], { stdio: 'inherit' });
if (error) console.error(`${builder} cannot be started: ${error.message}. Another builder: ${BUILDERS.join(', ')}`);
process.exitCode = status ?? 1;
