import { expect, test } from 'vitest';
import { decideWait, type WaitFacts } from '../../src/runs/waiting.ts';

const FACTS: WaitFacts = {
  position: 2,
  waiting: 7,
  isKnown: true,
  isRecovering: false,
  putOffMs: 0,
  vainTurns: 0,
  project: { name: 'api', admitted: 1, cap: undefined },
  pipeline: { name: 'fix', admitted: 1, cap: undefined },
};

const full = { admitted: 1, cap: 1 };

test.each<[string, Partial<WaitFacts>, string]>([
  ['slots', {}, 'no slot is free, or older runs and other projects come first'],
  ['slots', { project: { ...FACTS.project, cap: 2 } }, 'no slot is free, or older runs and other projects come first'],
  [
    'project-cap',
    { project: { ...FACTS.project, ...full }, pipeline: { ...FACTS.pipeline, ...full } },
    '1 of the project are admitted, its max_parallel_jobs is 1',
  ],
  [
    'pipeline-cap',
    { pipeline: { ...FACTS.pipeline, ...full } },
    '1 of pipeline fix are admitted, its max_parallel_jobs is 1',
  ],
  [
    'put-off',
    { putOffMs: 4_001, vainTurns: 12 },
    'it could not start the last time, its decisions say why; not tried again for 5 s',
  ],
  [
    'project-cannot-start',
    { vainTurns: 12, project: { ...FACTS.project, ...full } },
    'the last 12 turns of the project could not start, so one run is tried now and then',
  ],
  [
    'recovery',
    { isRecovering: true, project: { ...FACTS.project, ...full } },
    'Redis has lost data, and live workers report first',
  ],
  [
    'project-unknown',
    { isKnown: false, isRecovering: true },
    'this configuration does not have the project, so nothing of it is admitted',
  ],
])('what a run waits for: %s', (reason, facts, text) => {
  expect(decideWait({ ...FACTS, ...facts })).toEqual({
    for: reason,
    position: 2,
    waiting: 7,
    text: `number 2 of 7 that wait in project api: ${text}`,
  });
});
