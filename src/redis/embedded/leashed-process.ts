/**
 * A child process that cannot outlive us, not even when we are killed with SIGKILL and can do nothing about it.
 *
 * A shell starts a watcher in the background and then becomes the program itself, so the pid is the program's own. The
 * watcher waits on a pipe that we hold: a line means that all is over, the end of the pipe without a line means that we
 * are gone, and it kills the program. The child leads its own session: Ctrl-C in our terminal does not reach it, and it
 * stays up while we shut down in order.
 */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

const LEASH = `
exec 3<&0 </dev/null 2>&1
{ read -r over <&3 || kill -9 $$; } >/dev/null 2>&1 &
exec env "$@" 3<&-
`;

export interface LeashedProcess {
  readonly pid: number;
  /** Resolves when it has ended and its output is read: the exit code or the signal, in words. Never rejects. */
  readonly ended: Promise<string>;
  /** Does nothing once it has ended. */
  signal(signal: NodeJS.Signals): void;
}

export interface LeashedProcessOptions {
  readonly cwd: string;
  /** Added to the environment of this process. */
  readonly env: Readonly<Record<string, string>>;
  /** Gets each line of standard output and standard error. */
  readonly onLine: (line: string) => void;
}

/** SIGTERM, and SIGKILL for one that has not ended by then; resolves when it has. */
export async function endLeashed(
  child: Pick<LeashedProcess, 'signal'> & { readonly ended: Promise<unknown> },
  patienceMs: number,
): Promise<void> {
  child.signal('SIGTERM');
  const patience = setTimeout(() => child.signal('SIGKILL'), patienceMs);
  await child.ended;
  clearTimeout(patience);
}

/** Starts the program. One that cannot be started says so on a line and ends with exit code 126 or 127. */
export function startLeashed(program: string, args: readonly string[], options: LeashedProcessOptions): LeashedProcess {
  const variables = Object.entries(options.env).map(([name, value]) => `${name}=${value}`);
  const child = spawn('/bin/sh', ['-c', LEASH, 'leash', ...variables, program, ...args], {
    cwd: options.cwd,
    detached: true,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  if (child.pid === undefined) throw new Error(`cannot start /bin/sh in ${options.cwd}`);
  createInterface({ input: child.stdout }).on('line', options.onLine);

  const { promise: ended, resolve } = Promise.withResolvers<string>();
  // The watcher may have been killed from outside: then nobody reads the line, and nobody needs it.
  child.stdin.on('error', () => undefined);
  child.once('exit', () => child.stdin.end('over\n'));
  child.once('close', (code, signal) => resolve(signal ?? `exit code ${code}`));
  return { pid: child.pid, ended, signal: (signal) => void child.kill(signal) };
}
