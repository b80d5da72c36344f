/**
 * What each alert means: a deployment of two replicas in the one state that it is about, on pages that the real registry wrote.
 * Every other alert has to be silent then, so that the name of the one that fires says what is wrong.
 */
import { expect, test } from 'vitest';
import { createMetrics, type Gauges, type Metrics } from '../../src/server/metrics.ts';
import { readAlerts } from './alert-rules.ts';
import { firing } from './firing.ts';
import { readScrape, type Scrape, together } from './promql/scrape.ts';

const NOW_MS = 1_700_000_000_000;
const platform = 'github';
const budget = {
  credential: 'github~github.com~abc',
  platform,
  limit: 5_000,
  remaining: 4_000,
  resets_in_seconds: 60,
  held_for_seconds: 0,
  stretch: 1,
};
const poll = { project: 'api', result: 'ok', atMs: NOW_MS - 20_000 };

/** Of the replica that leads; all is well. */
const LEADER: Gauges = {
  runs: { running: 1, completed: 7 },
  queueDepth: 0,
  inboxDepth: 0,
  activeRuns: 1,
  slots: 20,
  unconfirmedLabels: 0,
  findings: { 'plain-secret': 1 },
  budgets: [budget],
  pollIntervals: { api: 30 },
  lastPolls: [poll],
  backlogs: [{ project: 'api', waiting: 0, admitted: 1 }],
  leaderEpoch: { poller: NOW_MS, housekeeping: NOW_MS },
  ready: true,
};
const FOLLOWER: Gauges = { ...LEADER, activeRuns: 0, leaderEpoch: { poller: 0, housekeeping: 0 } };

interface State {
  /** Of both replicas. */
  readonly both?: Partial<Gauges>;
  readonly follower?: Partial<Gauges>;
  /** What goes on at the leader, from one scrape to the next. */
  readonly counted?: (metrics: Metrics) => void;
}

/** Two scrapes, a minute apart, of everything that a state shows. */
async function scrapesOf({ both, follower, counted }: State): Promise<readonly Scrape[]> {
  const replicas = [
    { pod: 'a', metrics: createMetrics(async () => ({ ...LEADER, ...both })), counted },
    { pod: 'b', metrics: createMetrics(async () => ({ ...FOLLOWER, ...both, ...follower })), counted: undefined },
  ];
  const scrape = async (atMs: number): Promise<Scrape> => {
    const pages = replicas.map(async (replica) => {
      replica.counted?.(replica.metrics);
      const { text } = await replica.metrics.page();
      return readScrape(text, atMs, { namespace: 'agents', job: 'agent-smith', pod: replica.pod });
    });
    return together(await Promise.all(pages));
  };
  return [await scrape(NOW_MS - 60_000), await scrape(NOW_MS)];
}

const times = (count: number, act: () => void): void => {
  for (let n = 0; n < count; n += 1) act();
};
const finding = (code: string): State => ({ both: { findings: { [code]: 1 } } });
const claim =
  (...outcomes: readonly string[]) =>
  (metrics: Metrics): void => {
    for (const outcome of outcomes) metrics.claim({ platform, outcome, trigger: 'poll' });
  };
const delivery =
  (result: string) =>
  (metrics: Metrics): void =>
    metrics.delivery({ platform, result });
const called =
  (result: string) =>
  (metrics: Metrics): void =>
    times(4, () => metrics.callback({ result }));
const settled =
  (outcome: string) =>
  (metrics: Metrics): void =>
    metrics.inboxSettled({ platform, outcome, deliveries: 1 });
const ended =
  (...states: readonly string[]) =>
  (metrics: Metrics): void =>
    times(3, () => {
      for (const state of states) metrics.runEnded({ project: 'api', pipeline: 'fix-bug', state, durationMs: 1 });
    });
const labelWritten =
  (status: string) =>
  (metrics: Metrics): void =>
    times(6, () => metrics.platformRequest({ platform, purpose: 'label', status, durationMs: 1 }));
const backlog = { backlogs: [{ project: 'api', waiting: 3, admitted: 1 }] };

const STATES: readonly (readonly [string, State, readonly string[]])[] = [
  ['all is well', {}, []],
  ['no replica is ready', { both: { ready: false } }, ['NobodyReady', 'ReplicaNotReady']],
  ['one replica is not ready', { follower: { ready: false } }, ['ReplicaNotReady']],
  ['nobody polls', { both: { leaderEpoch: { poller: 0, housekeeping: NOW_MS } } }, ['NoLeader']],
  [
    'the last poll is four intervals ago',
    { both: { lastPolls: [{ ...poll, atMs: NOW_MS - 151_000 }] } },
    ['PollsTooOld'],
  ],
  ['the last poll is late', { both: { lastPolls: [{ ...poll, atMs: NOW_MS - 149_000 }] } }, []],
  ['a project was never polled', { both: { lastPolls: [] } }, ['NotPolled']],
  ['the token of a project is refused', { both: { lastPolls: [{ ...poll, result: 'auth' }] } }, ['PollsFail']],
  ['a project waits for its budget', { both: { lastPolls: [{ ...poll, result: 'rate-limited' }] } }, []],
  ['runs wait, and none is at work', { both: { ...backlog, activeRuns: 0 } }, ['WorkStands', 'BacklogLasts']],
  ['runs wait while others are at work', { both: backlog }, ['BacklogLasts']],
  ['jobs wait although slots are free', { both: { queueDepth: 2 } }, ['JobsNotTaken']],
  ['jobs wait, and no slot is free', { both: { queueDepth: 2, activeRuns: 20 } }, []],
  ['deliveries wait, and none is settled', { both: { inboxDepth: 3 }, counted: settled('later') }, ['InboxStands']],
  ['deliveries wait, and others are settled', { both: { inboxDepth: 3 }, counted: settled('processed') }, []],
  ['many deliveries wait', { both: { inboxDepth: 101 }, counted: settled('processed') }, ['InboxGrows']],
  ['deliveries are not kept', { counted: delivery('not-persisted') }, ['DeliveriesNotKept']],
  ['deliveries prove no secret', { counted: delivery('unproven') }, ['DeliveriesRefused']],
  [
    'deliveries are taken, or were known',
    { counted: (to) => ['accepted', 'duplicate'].map(delivery).forEach((act) => act(to)) },
    [],
  ],
  ['results of services are not kept', { counted: called('not-persisted') }, ['ResultsNotKept']],
  ['results of services prove no token', { counted: called('unproven') }, ['ResultsRefused']],
  ['results of services are kept', { counted: called('kept') }, []],
  ['spans of traces are lost', { counted: (to) => to.traceSpans({ result: 'lost', spans: 5 }) }, ['TracesLost']],
  ['spans of traces are sent', { counted: (to) => to.traceSpans({ result: 'sent', spans: 5 }) }, []],
  ['labels are not confirmed', { both: { unconfirmedLabels: 2 } }, ['LabelsUnconfirmed']],
  [
    'labels come after 90 s',
    { counted: (to) => to.labelConfirmed({ state: 'running', lagMs: 90_000 }) },
    ['LabelsLate'],
  ],
  ['labels come after 10 s', { counted: (to) => to.labelConfirmed({ state: 'running', lagMs: 10_000 }) }, []],
  ['label writes are forbidden', { counted: labelWritten('403') }, ['LabelWritesRefused']],
  ['label writes are not answered', { counted: labelWritten('unavailable') }, ['LabelWritesRefused']],
  ['tickets that are gone', { counted: labelWritten('404') }, []],
  ['claims fail', { counted: claim('failed') }, ['ClaimsFail']],
  ['some claims fail', { counted: claim('failed', 'claimed') }, []],
  ['a budget runs out', { both: { budgets: [{ ...budget, remaining: 700 }] } }, ['BudgetLow']],
  ['a full Redis evicts', finding('redis-evicts'), ['RedisEvicts']],
  ['Redis takes no writes', finding('redis-refuses-writes'), ['RedisRefusesWrites']],
  ['Redis lost its data', finding('recovering'), ['RedisLostData']],
  ['a hook was switched off', finding('hook-disabled'), ['Finding']],
  ['a Job of a run that is over may not be deleted', finding('job-not-ended'), ['Finding']],
  ['workers die', { counted: (to) => times(4, () => to.repair({ kind: 'dead-attempt' })) }, ['WorkersDie']],
  ['a worker has died', { counted: (to) => to.repair({ kind: 'dead-attempt' }) }, []],
  ['a pipeline fails each time', { counted: ended('failed') }, ['PipelineFails']],
  ['a pipeline fails at times', { counted: ended('failed', 'completed') }, []],
];

test.each(STATES)('%s', async (_state, state, expected) => {
  expect(firing(await scrapesOf(state))).toEqual(new Set(expected.map((name) => `AgentSmith${name}`)));
});

test('nothing is scraped at all', () => {
  expect(firing([{ atMs: NOW_MS, samples: [] }])).toEqual(new Set(['AgentSmithAbsent']));
});

test('every alert has a state in which it fires', () => {
  const fired = new Set(['Absent', ...STATES.flatMap(([, , expected]) => expected)].map((name) => `AgentSmith${name}`));
  expect(fired).toEqual(new Set(readAlerts().map(({ alert }) => alert)));
});
