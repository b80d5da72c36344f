import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, onTestFinished, test } from 'vitest';
import {
  groupIsGone,
  groupsWithEnvironment,
  killGroup,
  signalGroup,
  startTimeOf,
} from '../../../src/worker/guard/process-group.ts';

async function sleeper(env: Record<string, string> = {}): Promise<{ child: ChildProcess; group: number }> {
  const child = spawn('sleep', ['300'], { detached: true, stdio: 'ignore', env: { PATH: process.env.PATH, ...env } });
  await once(child, 'spawn');
  const group = child.pid ?? 0;
  onTestFinished(() => killGroup(group));
  return { child, group };
}

test('a group is there until its last process has ended', async () => {
  const { group } = await sleeper();
  expect(groupIsGone(group)).toBe(false);
  await killGroup(group);
  expect(groupIsGone(group)).toBe(true);
});

test('a signal to a group that is gone is no error', async () => {
  const { group } = await sleeper();
  await killGroup(group);
  expect(() => signalGroup(group, 'SIGTERM')).not.toThrow();
});

test.for([0, 1, -1, Number.NaN, 1.5])('%s is never taken for a group: it would mean other processes', (group) => {
  expect(() => signalGroup(group, 'SIGTERM')).toThrow(/not a process group/);
});

test('processes are found by what is in their environment, by the whole entry only', async () => {
  const { group } = await sleeper({ AGENTSMITH_GUARD: 'process-group-test/12' });
  expect(groupsWithEnvironment('AGENTSMITH_GUARD=process-group-test/12')).toEqual([group]);
  expect(groupsWithEnvironment('AGENTSMITH_GUARD=process-group-test/1')).toEqual([]);
  expect(groupsWithEnvironment('GUARD=process-group-test/12')).toEqual([]);
});

test('the start time of a process stays the same, and is unknown once it is gone', async () => {
  const { child, group } = await sleeper();
  const startTime = startTimeOf(group);
  expect(startTime).toMatch(/^\d+$/);
  expect(startTimeOf(group)).toBe(startTime);
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(startTimeOf(group)).toBeUndefined();
});
