#!/usr/bin/env node
/**
 * The way into the house on a machine that has only Node 20 and npm: installs what is missing, finds a Node that runs
 * TypeScript, and starts the command with it. Plain JavaScript without dependencies, because nothing is there yet.
 *
 *   node scripts/launch.mjs test | proofs | check | bench | chaos | model | mutants | <any command of agent-smith> [arguments]
 */
import { spawnSync } from 'node:child_process';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureInstalled, LaunchError } from './install.mjs';
import { supervise } from './supervise.mjs';

const ROOT = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const BIN = path.join(ROOT, 'node_modules', '.bin');
/** 22.18 was the first to run .ts files as they are; our packages want this one. */
const OLDEST_NODE = [22, 19];

/** What each command runs, relative to the root. Everything else is a command of agent-smith itself. */
const SCRIPTS = new Map([
  ['test', ['node_modules/vitest/vitest.mjs', 'run']],
  ['proofs', ['node_modules/vitest/vitest.mjs', 'run', '--config', 'vitest.proofs.config.ts']],
  ['check', ['scripts/check.mjs']],
  ['bench', ['bench/main.ts']],
  ['chaos', ['test/chaos/main.ts']],
  ['model', ['test/model/main.ts']],
  ['mutants', ['test/guards/main.ts']],
]);

const say = (text) => process.stderr.write(`launch: ${text}\n`);

/** The pinned Node of node_modules, else the one that runs this file. */
function findNode() {
  const pinned = path.join(BIN, 'node');
  // Asked rather than looked for: on a system with another C library the file is there and cannot run.
  const answer = spawnSync(pinned, ['--version'], { encoding: 'utf8' });
  if (answer.status === 0 && runsTypeScript(answer.stdout)) return pinned;
  if (runsTypeScript(process.version)) return process.execPath;
  throw new LaunchError(
    `Node ${OLDEST_NODE.join('.')} or newer is needed, this is ${process.version}, and no pinned Node is available for ` +
      `${process.platform}-${process.arch}. Install Node 24 from https://nodejs.org and run the command again.`,
  );
}

function runsTypeScript(version) {
  const [major, minor] = version.trim().replace('v', '').split('.').map(Number);
  return major > OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor >= OLDEST_NODE[1]);
}

/** Runs a script with its arguments to the end; resolves with the exit code to end with. */
async function run(node, args) {
  const PATH = [BIN, path.dirname(node), process.env.PATH ?? ''].join(path.delimiter);
  // Every replica of the demo and every process of the tests would translate the same TypeScript again.
  const NODE_COMPILE_CACHE = process.env.NODE_COMPILE_CACHE ?? path.join(ROOT, 'node_modules', '.cache', 'compile');
  // By its number a command notices when we are killed, and ends too.
  const env = { ...process.env, PATH, NODE_COMPILE_CACHE, AGENTSMITH_LAUNCHER: String(process.pid) };
  const { code, signal } = await supervise(node, args, { env, stdio: 'inherit' });
  return code ?? 128 + os.constants.signals[signal];
}

/** The script and first arguments of a command; undefined asks agent-smith for its help. */
function scriptOf(command) {
  if (command === undefined) return ['src/cli/main.ts', '--help'];
  return SCRIPTS.get(command) ?? ['src/cli/main.ts', command];
}

try {
  const [command, ...rest] = process.argv.slice(2);
  await ensureInstalled(ROOT, say);
  const [script, ...fixed] = scriptOf(command);
  process.exitCode = await run(findNode(), [path.join(ROOT, script), ...fixed, ...rest]);
} catch (error) {
  if (!(error instanceof LaunchError)) throw error;
  say(error.message);
  process.exitCode = 1;
}
