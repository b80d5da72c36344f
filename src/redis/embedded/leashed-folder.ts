/**
 * A temporary folder that cannot outlive us, not even when we are killed with SIGKILL and can do nothing about it: a
 * shell of its own session waits on a pipe that we hold. A line means that the folder has been taken care of; the end of
 * the pipe without a line means that we are gone, and the shell removes it.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

/** Our other children die at the same moment, and until then may write into the folder: hence more than one attempt. */
const KEEPER = `
read -r over && exit
for pause in 0.1 0.3 0.6 1 2; do
  sleep "$pause"
  rm -rf "$1" && exit
done`;

export interface LeashedFolder {
  readonly path: string;
  /** Removes it with all that is in it. Safe to call twice. */
  remove(): Promise<void>;
  /** Lets it stay, whatever happens to us. */
  keep(): Promise<void>;
}

/** @param prefix first part of its name in the system's folder for temporary files. */
export async function openLeashedFolder(prefix: string): Promise<LeashedFolder> {
  const dir = await mkdtemp(path.join(tmpdir(), prefix));
  const keeper = spawn('/bin/sh', ['-c', KEEPER, 'keeper', dir], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  if (keeper.pid === undefined) throw new Error('cannot start /bin/sh');
  const ended = once(keeper, 'exit');
  // It may have been killed from outside: then nobody reads the line, and nobody needs it.
  keeper.stdin.on('error', () => undefined);
  const release = async (): Promise<void> => {
    keeper.stdin.end('over\n');
    await ended;
  };
  return {
    path: dir,
    async remove() {
      await rm(dir, { recursive: true, force: true, maxRetries: 5 });
      await release();
    },
    keep: release,
  };
}
