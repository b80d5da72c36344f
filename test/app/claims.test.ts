/** A ticket that asks for run after run: people hear of it for as long as it counts, even if nobody looks at it again. */
import { expect, test } from 'vitest';
import { reportLoop } from '../../src/app/claims.ts';
import { createFindings } from '../../src/foundation/findings.ts';
import { movableClock } from '../support/movable-clock.ts';

const DAY_MS = 86_400_000;
const TOO_MANY = { kind: 'not-eligible', reason: 'too-many-runs' } as const;

test('too many runs of a ticket are a finding for 24 hours after it was refused last, or until it is claimed', () => {
  const time = movableClock();
  const findings = createFindings(time.clock);
  const codes = (): string[] => findings.all().map(({ code }) => code);
  reportLoop(findings, 'api', '7', TOO_MANY);
  time.pass(DAY_MS - 1);
  expect(codes()).toEqual(['too-many-runs']);
  reportLoop(findings, 'api', '7', TOO_MANY);
  time.pass(DAY_MS - 1);
  expect(codes()).toEqual(['too-many-runs']);
  time.pass(1);
  expect(codes()).toEqual([]);
  reportLoop(findings, 'api', '7', TOO_MANY);
  reportLoop(findings, 'api', '7', { kind: 'claimed', run: 'r', project: 'api', pipeline: 'fix-bug' });
  expect(codes()).toEqual([]);
});
