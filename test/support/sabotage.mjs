/**
 * Takes guards of the protocol out of a running program, to show that they are what keeps its promises and that a test
 * notices when one is missing. There is no switch for it in the product: this module is loaded before it and rewrites
 * its sources as they are read.
 *
 *   SABOTAGE=live-run,start-attempt:turn,eligibility NODE_OPTIONS='--import .../test/support/sabotage.mjs' agent-smith ...
 *
 * The names are those of test/guards/guards.ts: `WHERE:WHAT` is one guard, `WHAT` alone all of that name. A name that
 * stands for none, or for one whose place is not found, ends the program at once: sabotage that does nothing would pass
 * for a guard that is not needed.
 */
import childProcess from 'node:child_process';
import fs, { readFileSync } from 'node:fs';
import { registerHooks, syncBuiltinESMExports } from 'node:module';
import { fileURLToPath } from 'node:url';
import { fileOf, withoutGuard } from '../guards/guard.ts';
import { guardsNamed } from '../guards/guards.ts';

const SRC = new URL('../../src/', import.meta.url);

const { SABOTAGE = '' } = process.env;
const NODE_OPTIONS = `--import=${import.meta.url}`;
/** Sabotaged text of each file that was touched, by its path. */
const rewritten = new Map();

for (const name of SABOTAGE.split(',').filter((one) => one !== '')) sabotage(name);
if (rewritten.size > 0) {
  rewriteWhatIsRead();
  passOnToGuardProcess();
  syncBuiltinESMExports();
}

function sabotage(name) {
  try {
    for (const guard of guardsNamed(name)) {
      const path = fileURLToPath(new URL(fileOf(guard), SRC));
      rewritten.set(path, withoutGuard(guard, rewritten.get(path) ?? readFileSync(path, 'utf8')));
    }
  } catch (error) {
    throw new Error(`SABOTAGE ${name}: ${error.message}`, { cause: error });
  }
}

/** Scripts are read as files, sources are loaded as modules. */
function rewriteWhatIsRead() {
  const readOriginal = fs.readFileSync;
  fs.readFileSync = (file, ...rest) => {
    const text = rewritten.get(pathOf(file));
    return text === undefined ? readOriginal(file, ...rest) : text;
  };
  registerHooks({
    load(url, context, next) {
      const loaded = next(url, context);
      const text = url.startsWith('file:') ? rewritten.get(fileURLToPath(url)) : undefined;
      return text === undefined ? loaded : { ...loaded, source: text };
    },
  });
}

/** A worker gives its guard process nothing of its own environment, and the leash is in there. */
function passOnToGuardProcess() {
  const forkOriginal = childProcess.fork;
  childProcess.fork = (program, args, options) =>
    forkOriginal(program, args, { ...options, env: { ...(options?.env ?? process.env), SABOTAGE, NODE_OPTIONS } });
}

function pathOf(file) {
  if (file instanceof URL) return fileURLToPath(file);
  return typeof file === 'string' ? file : '';
}
