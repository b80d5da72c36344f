/**
 * Takes guards of the protocol out of a running program, to show that they are what keeps its promises and that a test
 * notices when one is missing. There is no switch for it in the product: this module is loaded before it and rewrites
 * its sources as they are read.
 *
 *   SABOTAGE=live-run,claim-lock,eligibility NODE_OPTIONS='--import .../test/support/sabotage.mjs' agent-smith ...
 *
 * Two kinds of names:
 * - `NAME` or `SCRIPT:NAME` takes out the lines of the Lua scripts (or of that one script) that end with
 *   `-- guard: NAME`. A guard of several lines carries the mark on each of them.
 * - a name of `REWRITES` replaces one piece of a TypeScript file.
 *
 * A name that matches nothing ends the program at once: sabotage that does nothing would pass for a guard that is not
 * needed.
 */
import fs, { readdirSync, readFileSync } from 'node:fs';
import { registerHooks, syncBuiltinESMExports } from 'node:module';
import { fileURLToPath } from 'node:url';

const SRC = new URL('../../src/', import.meta.url);
const SCRIPTS = new URL('redis/scripts/', SRC);

/** By name: in which file, and what becomes of the one place that reads like this. */
const REWRITES = {
  // A ticket that is labelled enqueued, in-progress, done or failed passes for one that wants a run.
  eligibility: {
    file: 'domain/eligibility.ts',
    find: "  if (shown !== undefined && shown !== 'pending' && !resuming) return no(shown);\n",
    replace: '',
  },
  // Such a ticket is not dropped from a listing either.
  candidates: {
    file: 'ingress/polls/listing.ts',
    find: 'wanted: isCandidate,',
    replace: 'wanted: () => true,',
  },
};

const wanted = (process.env.SABOTAGE ?? '').split(',').filter((name) => name !== '');
/** Sabotaged text of each file that was touched, by its path. */
const rewritten = new Map();

for (const name of wanted) {
  if (Object.hasOwn(REWRITES, name)) rewrite(name, REWRITES[name]);
  else removeGuard(name);
}

if (rewritten.size > 0) {
  const readOriginal = fs.readFileSync;
  fs.readFileSync = (file, ...rest) => {
    const text = rewritten.get(pathOf(file));
    return text === undefined ? readOriginal(file, ...rest) : text;
  };
  syncBuiltinESMExports();
  registerHooks({
    load(url, context, next) {
      const loaded = next(url, context);
      const text = url.startsWith('file:') ? rewritten.get(fileURLToPath(url)) : undefined;
      return text === undefined ? loaded : { ...loaded, source: text };
    },
  });
}

function rewrite(name, { file, find, replace }) {
  const path = fileURLToPath(new URL(file, SRC));
  const text = textOf(path);
  const places = text.split(find).length - 1;
  if (places !== 1) throw new Error(`SABOTAGE ${name}: what it looks for is ${places} times in ${file}, not once`);
  rewritten.set(
    path,
    text.replace(find, () => replace),
  );
}

function removeGuard(name) {
  const [script, guard] = name.includes(':') ? name.split(':') : [undefined, name];
  const mark = `-- guard: ${guard}`;
  let removed = 0;
  for (const file of readdirSync(SCRIPTS).filter((entry) => entry.endsWith('.lua'))) {
    if (script !== undefined && file !== `${script}.lua`) continue;
    const path = fileURLToPath(new URL(file, SCRIPTS));
    const lines = textOf(path).split('\n');
    const kept = lines.filter((line) => !line.endsWith(mark));
    if (kept.length === lines.length) continue;
    removed += lines.length - kept.length;
    rewritten.set(path, kept.join('\n'));
  }
  if (removed === 0) throw new Error(`SABOTAGE ${name}: no line of the Lua scripts ends with "${mark}"`);
}

function textOf(path) {
  return rewritten.get(path) ?? readFileSync(path, 'utf8');
}

function pathOf(file) {
  if (file instanceof URL) return fileURLToPath(file);
  return typeof file === 'string' ? file : '';
}
