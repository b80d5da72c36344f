import { expect, test } from 'vitest';
import { createFindings, type Finding } from '../../src/foundation/findings.ts';
import { movableClock } from '../support/movable-clock.ts';

const failing: Finding = { code: 'poll-failing', severity: 'error', text: 'Project one cannot be polled.' };

test('a finding is there once per subject, its latest text counts, and it goes when it is cleared', () => {
  const findings = createFindings();
  findings.raise(failing, 'one');
  findings.raise({ ...failing, text: 'Project one cannot be polled, 4 times in a row.' }, 'one');
  findings.raise({ ...failing, text: 'Project two cannot be polled.' }, 'two');
  expect(findings.all().map(({ text }) => text)).toEqual([
    'Project one cannot be polled, 4 times in a row.',
    'Project two cannot be polled.',
  ]);
  findings.clear('poll-failing', 'one');
  findings.clear('poll-failing', 'never raised');
  findings.clear('poll-failing');
  expect(findings.all().map(({ text }) => text)).toEqual(['Project two cannot be polled.']);
});

test('a finding that was raised for a time goes when nobody renews it', () => {
  const time = movableClock();
  const findings = createFindings(time.clock);
  findings.raise(failing, 'for a while', 1_000);
  findings.raise(failing, 'for good');
  time.pass(999);
  findings.raise({ ...failing, text: 'renewed' }, 'for a while', 1_000);
  time.pass(999);
  expect(findings.all()).toHaveLength(2);
  time.pass(1);
  expect(findings.all()).toEqual([failing]);
});
