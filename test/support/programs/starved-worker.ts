/**
 * A worker reduced to its guard that has no file left to open at the worst moment; to be started under a low limit. It
 * reports what happened to its parent and ends. Argument: the moment, `fork` or `guard-death`.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { pino } from 'pino';
import { now } from '../../../src/foundation/clock.ts';
import { messageOf } from '../../../src/foundation/errors.ts';
import { createGuard } from '../../../src/worker/guard/guard.ts';
import { GUARD_MARK, type GuardedEnd, type GuardedSpec } from '../../../src/worker/guard/guarded-process.ts';
import { groupIsGone } from '../../../src/worker/guard/process-group.ts';
import { until } from '../until.ts';

export type StarvedFork = Readonly<Record<'first' | 'next', GuardedEnd>>;

export interface StarvedGuardDeath {
  readonly whileStarved: { readonly ended: boolean; readonly commandKilled: boolean; readonly groupIsGone: boolean };
  readonly end: GuardedEnd;
  readonly commandKilled: boolean;
}

const said: string[] = [];
const log = pino({ base: null }, { write: (line: string) => void said.push(line) });
const guard = createGuard({ log, timing: { trustTermMs: 60_000, trustKillMs: 90_000, stopGraceMs: 300 } });

let attempts = 0;

function guarded(program: string, args: readonly string[]): GuardedSpec {
  attempts += 1;
  const env = { PATH: process.env.PATH ?? '' };
  const attemptId = `run-${process.pid}/${attempts}/1`;
  return { attemptId, program, args, cwd: '/', env, stdin: '', secrets: [], trustedSince: now() };
}

/**
 * Opens files until there are none left, and again after whatever the event loop closes: before any timer can take one. The
 * function that is returned gives them back.
 */
function starve(): () => void {
  const held: number[] = [];
  const takeAll = (): void => {
    try {
      for (;;) held.push(openSync('/dev/null', 'r'));
    } catch (error) {
      if (!messageOf(error).startsWith('EMFILE')) throw error;
    }
    next = setImmediate(takeAll);
  };
  let next: NodeJS.Immediate | undefined;
  takeAll();
  return () => {
    clearImmediate(next);
    for (const file of held) closeSync(file);
  };
}

async function starvedFork(): Promise<StarvedFork> {
  const feed = starve();
  const spec = guarded('true', []);
  const { ended } = guard.start(spec);
  // Whatever it is told meanwhile, it does not fail.
  guard.beat(spec.attemptId, now());
  guard.stop(spec.attemptId, 'drained');
  const first = await ended;
  feed();
  return { first, next: await guard.start(guarded('echo', ['next'])).ended };
}

async function starvedGuardDeath(): Promise<StarvedGuardDeath> {
  const guardPid = Number((await guard.start(guarded('sh', ['-c', 'echo $PPID'])).ended).outputTail);
  // Standing still it reports nothing; what it would have started is started here, with its mark.
  process.kill(guardPid, 'SIGSTOP');
  const spec = guarded('sleep', ['300']);
  const unreported = spawn('sleep', ['300'], {
    detached: true,
    stdio: 'ignore',
    env: { ...process.env, [GUARD_MARK]: spec.attemptId },
  });
  let ended = false;
  const gone = once(unreported, 'exit');
  const killed = (): boolean => unreported.signalCode === 'SIGKILL';
  const end = guard.start(spec).ended.finally(() => {
    ended = true;
  });
  const feed = starve();
  process.kill(guardPid, 'SIGKILL');
  await until('it is said that nobody can look', () => said.some((line) => line.includes('cannot look')));
  const whileStarved = { ended, commandKilled: killed(), groupIsGone: groupIsGone(unreported.pid ?? 0) };
  feed();
  await gone;
  return { whileStarved, end: await end, commandKilled: killed() };
}

const result = process.argv[2] === 'fork' ? await starvedFork() : await starvedGuardDeath();
await guard.close();
process.send?.(result, () => process.exit(0));
