/**
 * Process groups: signalling them, and knowing for certain that nothing of one is left.
 *
 * kill(-group, 0) alone is not enough: it also succeeds for zombies, and in a container whose first process does not
 * reap orphans these stay for ever. So on Linux /proc decides which members are alive.
 * A process that leaves its group (setsid, setpgid) is out of reach of all of this.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

/** How often an ending group is looked at. */
export const GROUP_POLL_MS = 25;

/** Sends a signal to every member. A group that is gone, or that belongs to somebody else, is no error. */
export function signalGroup(group: number, signal: NodeJS.Signals): void {
  probe(group, signal);
}

/** True once it is certain that no member of the group is alive; zombies do not count. */
export function groupIsGone(group: number): boolean {
  if (!probe(group, 0)) return true;
  if (process.platform !== 'linux') return false;
  try {
    return !processes().some((pid) => {
      const stat = readStat(pid);
      return stat !== undefined && stat.group === group && stat.alive;
    });
  } catch {
    // Nobody can look now. Whoever asks will ask again.
    return false;
  }
}

/** Kills the group and resolves when it is gone, however long the kernel takes. */
export async function killGroup(group: number): Promise<void> {
  while (!groupIsGone(group)) {
    signalGroup(group, 'SIGKILL');
    await delay(GROUP_POLL_MS);
  }
}

/** When a process was started, in ticks since boot; undefined if there is no such process or the system does not say. */
export function startTimeOf(pid: number): string | undefined {
  if (process.platform !== 'linux') return undefined;
  try {
    return readStat(pid)?.startTime;
  } catch {
    return undefined;
  }
}

/**
 * The groups of all living processes that have `entry` ("NAME=value") in the environment they were started with. Throws when
 * nobody can look now.
 */
export function groupsWithEnvironment(entry: string): number[] {
  if (process.platform !== 'linux') return [];
  const groups = processes().flatMap((pid) => {
    const environment = readProc(pid, 'environ');
    if (environment === undefined || !`\0${environment}`.includes(`\0${entry}\0`)) return [];
    const stat = readStat(pid);
    return stat?.alive === true ? [stat.group] : [];
  });
  return [...new Set(groups)];
}

/** Whether kill(2) found a process of the group. */
function probe(group: number, signal: NodeJS.Signals | 0): boolean {
  // kill(-1) is everybody and kill(-0) is ourselves: a wrong number here must never get through.
  if (!Number.isSafeInteger(group) || group <= 1) throw new RangeError(`not a process group: ${group}`);
  try {
    process.kill(-group, signal);
    return true;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ESRCH') return false;
    if (code === 'EPERM') return true;
    throw error;
  }
}

/** Youngest first: the ones that are looked for were started a short while ago. */
function processes(): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => Number.isSafeInteger(pid))
    .reverse();
}

interface Stat {
  readonly alive: boolean;
  readonly group: number;
  readonly startTime: string | undefined;
}

function readStat(pid: number): Stat | undefined {
  const text = readProc(pid, 'stat');
  if (text === undefined) return undefined;
  // "pid (name) state ppid group ...": the name may hold spaces and brackets, so the fields are counted from its end.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const ended = fields[0] === 'Z' || fields[0] === 'X';
  // A main thread that ended before its other threads is shown as a zombie too, but the process still works.
  const threads = Number(fields[17]);
  return { alive: !ended || threads > 1, group: Number(fields[2]), startTime: fields[19] };
}

/** What the system answers when it has no file or no memory left: this says nothing about the process. */
const EXHAUSTED: readonly (string | undefined)[] = ['EMFILE', 'ENFILE', 'ENOMEM'];

/** A file of a process; undefined when the process is gone or not ours to read. */
function readProc(pid: number, file: 'stat' | 'environ'): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'latin1');
  } catch (error) {
    if (EXHAUSTED.includes((error as NodeJS.ErrnoException).code)) throw error;
    return undefined;
  }
}
