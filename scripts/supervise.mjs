/**
 * Starts a child on our own terminal, outlives it, and hands it every signal.
 *
 * A terminal sends Ctrl-C to the whole foreground group, the child included: there it is only outlived. Without a
 * terminal it comes to this process alone and is handed on, as SIGTERM always is; a hang-up too, since it may come either
 * way and does no harm when it comes twice.
 */
import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';

const FROM_TERMINAL = ['SIGINT', 'SIGQUIT'];

/**
 * @param {string} program
 * @param {string[]} args
 * @param {import('node:child_process').SpawnOptions} options
 * @returns {Promise<{code: number | null, signal: string | null}>} how it ended; rejects when it cannot start
 */
export function supervise(program, args, options) {
  const child = spawn(program, args, options);
  const outlive = () => {};
  const forward = (signal) => child.kill(signal);
  const handlers = new Map([
    ['SIGTERM', forward],
    ['SIGHUP', forward],
  ]);
  for (const signal of FROM_TERMINAL) handlers.set(signal, hasTerminal() ? outlive : forward);
  for (const [signal, handler] of handlers) process.on(signal, handler);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code, signal) => resolve({ code, signal }));
  }).finally(() => {
    for (const [signal, handler] of handlers) process.off(signal, handler);
  });
}

/** Whether a terminal controls us; then it, or the shell, signals the group. */
function hasTerminal() {
  try {
    closeSync(openSync('/dev/tty', 'r'));
    return true;
  } catch {
    return false;
  }
}
