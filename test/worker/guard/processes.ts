/** What the tests of guard and runner need to know about processes, told by the kernel and by the programs' ledgers. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { pino } from 'pino';
import { now } from '../../../src/foundation/clock.ts';
import { createGuard, type Guard } from '../../../src/worker/guard/guard.ts';
import type { GuardedSpec, GuardTiming } from '../../../src/worker/guard/guarded-process.ts';
import { type Scope, thisTest } from '../../support/scope.ts';

/** No test is about trust unless it says so: then it passes a shorter one. */
export const PATIENT: GuardTiming = { trustTermMs: 60_000, trustKillMs: 90_000, stopGraceMs: 300 };

export const program = (name: string): string => path.join(import.meta.dirname, '../../support/programs', name);

/** A guard that is closed after the test, and whose process is up already. */
export async function openGuard(timing: GuardTiming = PATIENT, scope: Scope = thisTest): Promise<Guard> {
  const guard = createGuard({ log: pino({ level: 'silent' }), timing });
  scope.onTestFinished(() => guard.close());
  // Until the process is up it may take longer than the short trust of a test.
  await guard.start(guarded('true', [], { attemptId: 'warm-up' })).ended;
  return guard;
}

let attempts = 0;

export function guarded(name: string, args: readonly string[] = [], more: Partial<GuardedSpec> = {}): GuardedSpec {
  attempts += 1;
  return {
    attemptId: `run/${attempts}/1`,
    program: name,
    args,
    cwd: '/',
    env: { PATH: process.env.PATH ?? '' },
    stdin: '',
    secrets: [],
    trustedSince: now(),
    ...more,
  };
}

/** Every pid that has written into the ledger so far. */
export function pidsIn(ledger: string): number[] {
  try {
    return [...new Set(readFileSync(ledger, 'utf8').split('\n').filter(Boolean).map(Number))];
  } catch {
    return [];
  }
}

export function isAlive(pid: number): boolean {
  const state = statOf(pid)?.[0];
  return state !== undefined && state !== 'Z' && state !== 'X';
}

export function stateOf(pid: number): string | undefined {
  return statOf(pid)?.[0];
}

/** The states of processes that execute nothing. */
const STOPPED = 'TDZX';

/**
 * Whether nothing of a process group executes, because it was stopped. A process whose child was stopped between vfork and
 * exec waits for it, uninterruptible (D), and shows that it is stopped (T) only later.
 */
export function isFrozen(group: number): boolean {
  // Most questions are asked while it works: its leader tells that without a look at every process of the machine.
  if (!STOPPED.includes(stateOf(group) ?? 'X')) return false;
  const states = readdirSync('/proc')
    .filter((name) => Number(statOf(Number(name))?.[2]) === group)
    .map((name) => stateOf(Number(name)) ?? 'X');
  return states.includes('T') && states.every((state) => STOPPED.includes(state));
}

export function parentOf(pid: number): number {
  return Number(statOf(pid)?.[1]);
}

/** A process, its children and theirs: of a worker that is its guard with all its commands. */
export function familyOf(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').split(' ').filter(Boolean).map(Number);
  return [pid, ...children.flatMap(familyOf)];
}

/** The guard that started what writes this ledger. Its child leads the group; the first to write may be any of them. */
export function guardOf(ledger: string): number {
  return parentOf(leaderOf(ledger));
}

/** The process that leads the group of what writes this ledger. */
export function leaderOf(ledger: string): number {
  const leader = pidsIn(ledger).find((pid) => Number(statOf(pid)?.[2]) === pid);
  if (leader === undefined) throw new Error('no living process in the ledger leads its group');
  return leader;
}

/** The most memory that the process ever had resident, in MiB. */
export function peakMemoryMib(pid: number): number {
  const line = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(line?.[1]) / 1024;
}

/** The fields of /proc/PID/stat from the state on. */
function statOf(pid: number): string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}
