/** The arithmetic of the demo's last line: what counts as done, failed, lost and doubled. */
import { describe, expect, test } from 'vitest';
import { SERVICE } from '../../../src/cli/demo/ledger.ts';
import { judge, type Kill, type Life, summaryLine, type TicketEvidence } from '../../../src/cli/demo/verdict.ts';

function life(first: number, latest: number, facts: Partial<Life> = {}): Life {
  return {
    run: 'run-1',
    attempt: 1,
    pipeline: 'fix-bug',
    replica: 'alpha',
    exitCode: undefined,
    first,
    latest,
    ...facts,
  };
}

function ticket(facts: Partial<TicketEvidence>): TicketEvidence {
  return {
    name: 'shop#1',
    asked: 1,
    pipeline: 'fix-bug',
    peoplesLabels: ['agent-smith'],
    labels: ['agent-smith'],
    lives: [],
    ...facts,
  };
}

const DONE = ['agent-smith', 'agent-smith:done'];
const FAILED = ['agent-smith', 'agent-smith:failed'];

function lineOf(tickets: readonly TicketEvidence[], kills: readonly Kill[] = []): string {
  return summaryLine(judge(tickets, kills));
}

test('tickets whose label says what their pipeline did are done or failed', () => {
  const tickets = [
    ticket({ labels: DONE, lives: [life(1, 4, { exitCode: 0 })] }),
    ticket({ labels: DONE, lives: [life(2, 5, { exitCode: 0 })] }),
    ticket({ labels: FAILED, lives: [life(3, 6, { exitCode: 1 })] }),
  ];
  expect(lineOf(tickets)).toBe('demo: 3 tickets, 2 done, 1 failed, 0 lost, 0 doubled');
});

describe('lost', () => {
  test.each<[string, Partial<TicketEvidence>, string]>([
    ['that never ran', { labels: ['agent-smith'] }, 'never ran and is labelled nothing'],
    ['that is called done and never ran', { labels: DONE }, 'never ran and is labelled done'],
    [
      'whose pipeline failed and that is called done',
      { labels: DONE, lives: [life(1, 2, { exitCode: 1 })] },
      'ended with exit code 1 and is labelled done',
    ],
    [
      'whose label stayed in progress',
      { labels: ['agent-smith', 'agent-smith:in-progress'], lives: [life(1, 2, { exitCode: 0 })] },
      'ended with exit code 0 and is labelled in-progress',
    ],
    [
      'with two lifecycle labels',
      { labels: [...DONE, 'agent-smith:pending'], lives: [life(1, 2, { exitCode: 0 })] },
      'ended with exit code 0 and is labelled pending and done',
    ],
    [
      'whose last process never ended',
      { labels: DONE, lives: [life(1, 2, { exitCode: 0 }), life(3, 4)] },
      'never came to its end and is labelled done',
    ],
    [
      'that ran another pipeline than its labels name',
      { labels: DONE, lives: [life(1, 2, { exitCode: 0, pipeline: 'add-docs' })] },
      'ran add-docs, and its labels name fix-bug',
    ],
    [
      "that has lost a person's label",
      { labels: DONE, peoplesLabels: ['agent-smith', 'bug'], lives: [life(1, 2, { exitCode: 0 })] },
      'lost its label bug',
    ],
    [
      'whose label a person had taken away, and that has it again',
      { labels: [...DONE, 'triage'], lives: [life(1, 2, { exitCode: 0 })] },
      'was given the label triage',
    ],
  ])('is a ticket %s', (_, facts, why) => {
    const verdict = judge([ticket(facts)], []);
    expect(verdict.open).toEqual([`shop#1 ${why}`]);
    expect(summaryLine(verdict)).toMatch(/^demo: 1 tickets, 0 done, 0 failed, 1 lost, \d doubled$/);
  });
});

describe('doubled', () => {
  test('is a ticket with more runs than it was asked for', () => {
    const lives = [life(1, 2, { exitCode: 0 }), life(3, 4, { run: 'run-2', exitCode: 0 })];
    expect(judge([ticket({ labels: DONE, lives })], []).doubled).toEqual(['shop#1 had 2 runs and was asked for once']);
    expect(lineOf([ticket({ labels: DONE, lives })])).toBe('demo: 1 tickets, 1 done, 0 failed, 0 lost, 1 doubled');
  });

  test('is none that a person asked for twice', () => {
    const lives = [life(1, 2, { exitCode: 1 }), life(3, 4, { run: 'run-2', exitCode: 0 })];
    expect(lineOf([ticket({ asked: 2, labels: DONE, lives })])).toBe(
      'demo: 1 tickets, 1 done, 0 failed, 0 lost, 0 doubled',
    );
  });

  test('is a ticket that nobody asked for and that ran; it is no ticket of the sum', () => {
    const lives = [life(1, 2, { exitCode: 0 })];
    expect(lineOf([ticket({ asked: 0, labels: DONE, peoplesLabels: DONE, lives })])).toBe(
      'demo: 0 tickets, 0 done, 0 failed, 0 lost, 1 doubled',
    );
  });

  test.each([
    ['was given a label', ['bug', 'agent-smith:enqueued'], 'was given the label agent-smith:enqueued'],
    ['lost one', [], 'lost its label bug'],
  ])('is a ticket that nobody asked for and that %s', (_, labels, what) => {
    const untouched = ticket({ asked: 0, labels: ['Bug'], peoplesLabels: ['bug'] });
    const touched = ticket({ asked: 0, labels, peoplesLabels: ['bug'] });
    expect(judge([untouched], []).doubled).toEqual([]);
    expect(judge([touched], []).doubled).toEqual([`shop#1 ${what}, and nobody had asked for anything`]);
  });

  test('is a ticket with two processes at work at the same time, even of one run', () => {
    const lives = [life(1, 4), life(3, 6, { attempt: 2, replica: 'beta', exitCode: 0 })];
    expect(judge([ticket({ labels: DONE, lives })], [{ replica: 'alpha', at: 2 }]).doubled).toEqual([
      'shop#1 had two processes at work at the same time',
    ]);
  });

  test('is a run that ran again after it had ended', () => {
    const lives = [life(1, 2, { exitCode: 0 }), life(3, 4, { attempt: 2, exitCode: 0 })];
    expect(judge([ticket({ labels: DONE, lives })], []).doubled).toEqual(['shop#1 ran again after it had ended']);
  });

  test('is no run that ran again because its worker was killed before it could say how it ended', () => {
    const lives = [life(1, 2, { exitCode: 0 }), life(4, 5, { attempt: 2, replica: 'beta', exitCode: 0 })];
    const evidence = ticket({ labels: DONE, lives });
    expect(judge([evidence], [{ replica: 'alpha', at: 3 }]).doubled).toEqual([]);
    expect(judge([evidence], [{ replica: 'beta', at: 3 }]).doubled).toHaveLength(1);
    expect(judge([evidence], [{ replica: 'alpha', at: 6 }]).doubled).toHaveLength(1);
  });

  test('is a run that the service did twice, whoever was killed meanwhile: its work outlives every replica', () => {
    const once = life(1, 5, { replica: SERVICE, exitCode: 0 });
    const again = life(6, 7, { replica: SERVICE, attempt: 2, exitCode: 0 });
    const kills = [{ replica: 'alpha', at: 3 }];
    expect(judge([ticket({ labels: DONE, lives: [once] })], kills).doubled).toEqual([]);
    expect(judge([ticket({ labels: DONE, lives: [once, again] })], kills).doubled).toEqual([
      'shop#1 ran again after it had ended',
    ]);
  });

  test('is no run that goes on after its worker was killed', () => {
    const lives = [life(1, 2), life(4, 5, { attempt: 2, replica: 'beta', exitCode: 0 })];
    expect(lineOf([ticket({ labels: DONE, lives })], [{ replica: 'alpha', at: 3 }])).toBe(
      'demo: 1 tickets, 1 done, 0 failed, 0 lost, 0 doubled',
    );
  });
});
