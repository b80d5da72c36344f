import { expect, test } from 'vitest';
import type { Run } from '../../src/domain/run.ts';
import { attemptSpan, labelStep, repairStep, waits, wholeWay } from '../../src/domain/run-spans.ts';
import type { Span } from '../../src/foundation/trace.ts';

const RUN: Run = {
  id: '01RUN',
  ticket: 'github~github.com~org%2Fapi~7',
  ticketId: '7',
  display: 'org/api#7',
  url: 'https://github.com/org/api/issues/7',
  project: 'api',
  platform: 'github',
  trigger: 'webhook',
  state: 'completed',
  fence: 1,
  turn: 1,
  attempt: 1,
  attemptFence: 2,
  interrupted: 0,
  takes: 0,
  labelState: 'unconfirmed',
  labelDoubts: 0,
  createdAtMs: 1_000,
  sinceMs: 9_000,
};

const brief = ({ name, startMs, endMs }: Span): string => `${name} ${startMs}-${endMs}`;

test('the whole way begins where the run was first heard of, whoever went on with its claim', () => {
  const way = (more: Partial<Run>): string[] => wholeWay({ ...RUN, ...more }, 10_000).map(brief);
  expect(way({ deliveredAtMs: 400 })).toEqual(['delivery 400-1000', 'ticket 400-10000']);
  expect(way({ foundMs: 250 })).toEqual(['poll 750-1000', 'ticket 750-10000']);
  // Found by a poll whose claim died; a later delivery brought the claim that went on.
  expect(way({ foundMs: 250, deliveredAtMs: 3_000 })).toEqual(['poll 750-1000', 'ticket 750-10000']);
  expect(way({ trigger: 'manual' })).toEqual(['ticket 1000-10000']);
});

test('waits: for a slot, then for a worker; after a hand-back for a worker alone', () => {
  const left = (more: Partial<Run>): string[] => waits({ ...RUN, ...more }, 9_000).map(brief);
  expect(left({ queuedAtMs: 2_000, admittedAtMs: 5_000 })).toEqual(['backlog 2000-5000', 'queue 5000-9000']);
  expect(left({ queuedAtMs: 2_000, admittedAtMs: 2_000 })).toEqual(['queue 2000-9000']);
  expect(left({ turn: 2, queuedAtMs: 6_000, admittedAtMs: 2_000 })).toEqual(['queue 6000-9000']);
  expect(left({ queuedAtMs: 2_000, admittedAtMs: 0 })).toEqual(['backlog 2000-9000']);
  // Its start was put off; what went before was told then.
  const putOff = { turn: 2, queuedAtMs: 2_000, backAtMs: 6_000 };
  expect(left({ ...putOff, admittedAtMs: 7_000 })).toEqual(['backlog 6000-7000', 'queue 7000-9000']);
  expect(left({ ...putOff, backAtMs: 9_500, admittedAtMs: 0 })).toEqual([]);
});

test('what people wrote, and where a ticket is to be seen, is in no span', () => {
  const run: Run = {
    ...RUN,
    label: 'a label',
    reason: 'a reason',
    state: 'failed',
    delivery: 'github~d1',
    deliveredAtMs: 1,
  };
  const spans = [...wholeWay(run, 10_000), ...waits(run, 9_000), attemptSpan(run, 'failed', 9_000)];
  const text = JSON.stringify([
    spans,
    labelStep(run.id, ['pending'], 'enqueued'),
    repairStep(run.id, 'missing-job', 'job added'),
  ]);
  for (const word of [run.url, run.display, 'a label', 'a reason']) expect(text).not.toContain(word);
});

test('an attempt that was cancelled or handed on did not fail, one that was interrupted did', () => {
  for (const how of ['cancelled', 'handed-on'] as const) {
    expect(attemptSpan(RUN, how, 9_000).failure).toBeUndefined();
  }
  expect(attemptSpan(RUN, 'interrupted', 9_000)).toMatchObject({
    failure: 'interrupted',
    key: 'attempt/1',
    attributes: { 'cicd.pipeline.result': 'error', 'agentsmith.fence': 2 },
  });
});
