import { expect, test } from 'vitest';
import type { SeenJob } from '../../../../src/worker/runners/kubernetes/cluster.ts';
import { type Facts, nextStep } from '../../../../src/worker/runners/kubernetes/next-step.ts';

const OURS: SeenJob = {
  name: 'agentsmith-1',
  uid: 'u1',
  resourceVersion: '7',
  run: 'R1',
  fence: 10,
  released: true,
  secret: 's',
  deleting: false,
  state: { kind: 'active' },
};
const OTHER: SeenJob = { ...OURS, uid: 'u0', run: 'R0', fence: 5 };
const COMPLETE = { state: { kind: 'complete' } } as const;
const FAILED = { state: { kind: 'failed', reason: 'BackoffLimitExceeded', message: '' } } as const;
const NOTHING: Facts = { run: 'R1', fence: 10, job: undefined, held: undefined, unwanted: false };

test.each<readonly [string, Partial<Facts>, string]>([
  ['nothing is there', {}, 'create'],
  ['nothing is there, and nothing should be', { unwanted: true }, 'removed'],
  ['ours was never let go', { job: { ...OURS, released: false } }, 'prepare'],
  ['ours is at work', { job: OURS, held: 'u1' }, 'wait'],
  ['ours is about to fail', { job: { ...OURS, state: { kind: 'failing' } }, held: 'u1' }, 'wait'],
  ['ours is complete', { job: { ...OURS, ...COMPLETE }, held: 'u1' }, 'conclude'],
  ['ours has failed', { job: { ...OURS, ...FAILED } }, 'conclude'],
  ['ours is complete and being cleaned up', { job: { ...OURS, ...COMPLETE, deleting: true } }, 'conclude'],
  ['ours is complete, and was to be ended', { job: { ...OURS, ...COMPLETE }, unwanted: true }, 'conclude'],
  ['ours is being deleted', { job: { ...OURS, deleting: true }, held: 'u1' }, 'wait'],
  ['ours is at work and is not wanted', { job: OURS, held: 'u1', unwanted: true }, 'remove'],
  ['ours is being deleted and is not wanted', { job: { ...OURS, deleting: true }, unwanted: true }, 'wait'],
  ['ours is gone', { held: 'u1' }, 'vanished'],
  ['ours is gone, as was wanted', { held: 'u1', unwanted: true }, 'removed'],
  ['ours is gone, and another has its name', { job: { ...OURS, uid: 'u2' }, held: 'u1' }, 'vanished'],
  ['an earlier attempt has it', { job: { ...OURS, fence: 9 } }, 'adopt'],
  ['an earlier attempt has not let it go', { job: { ...OURS, fence: 9, released: false } }, 'adopt'],
  ['an earlier attempt had it, and it is complete', { job: { ...OURS, fence: 9, ...COMPLETE } }, 'conclude'],
  ['a later attempt has it', { job: { ...OURS, fence: 11 }, held: 'u1' }, 'taken'],
  [
    'a later attempt has it, and we were to end it',
    { job: { ...OURS, fence: 11 }, held: 'u1', unwanted: true },
    'taken',
  ],
  ['a later attempt has it, and it is complete', { job: { ...OURS, fence: 11, ...COMPLETE } }, 'taken'],
  ['a Job of a later run is complete', { job: { ...OTHER, fence: 11, ...COMPLETE } }, 'taken'],
  ['a Job of an earlier run is at work', { job: OTHER }, 'occupied'],
  ['a Job of an earlier run is complete', { job: { ...OTHER, ...COMPLETE } }, 'clear'],
  ['a Job of an earlier run has failed', { job: { ...OTHER, ...FAILED } }, 'clear'],
  ['a Job of an earlier run was never let go', { job: { ...OTHER, released: false } }, 'clear'],
  ['a Job of an earlier run is being deleted', { job: { ...OTHER, deleting: true } }, 'wait'],
  ['a Job of an earlier run is there, and ours should not be', { job: OTHER, unwanted: true }, 'removed'],
  ['a Job of somebody else', { job: { ...OURS, run: undefined } as unknown as SeenJob }, 'foreign'],
])('%s', (_what, facts, expected) => {
  expect(nextStep({ ...NOTHING, ...facts }).kind).toBe(expected);
});
