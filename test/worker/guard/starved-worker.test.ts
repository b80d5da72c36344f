/** A worker with no file left to open can start no guard, and cannot look for what a dead one held. Both end well. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, onTestFinished, test } from 'vitest';
import type { StarvedFork, StarvedGuardDeath } from '../../support/programs/starved-worker.ts';
import { program } from './processes.ts';

/** What the worker reports; undefined if it died before. */
async function starve(moment: 'fork' | 'guard-death'): Promise<unknown> {
  const args = ['-c', 'ulimit -n 64 && exec "$@"', 'sh', process.execPath, program('starved-worker.ts'), moment];
  const worker = spawn('sh', args, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  onTestFinished(() => void worker.kill('SIGKILL'));
  const messages: unknown[] = [];
  worker.on('message', (message) => messages.push(message));
  await once(worker, 'close');
  return messages[0];
}

test('no file left to start a guard with: the attempt is lost, nothing throws, the next one gets a guard', async () => {
  const { first, next } = (await starve('fork')) as StarvedFork;
  expect(first).toEqual({
    kind: 'no-guard',
    reason: expect.stringMatching(/^The guard process could not be started: spawn .*EMFILE$/),
    outputTail: '',
  });
  expect(next).toEqual({ kind: 'exited', code: 0, outputTail: 'next\n' });
});

test('no file left to look for what a dead guard held: its attempt has not ended until that was found and killed', async () => {
  const { whileStarved, end, commandKilled } = (await starve('guard-death')) as StarvedGuardDeath;
  expect(whileStarved).toEqual({ ended: false, commandKilled: false, groupIsGone: false });
  expect(commandKilled).toBe(true);
  expect(end).toEqual({ kind: 'guard-lost', outputTail: '' });
});
