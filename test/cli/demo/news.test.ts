/** What the demo tells of the service is true: its work outlives replicas. */
import { expect, test } from 'vitest';
import { type LedgerLine, SERVICE } from '../../../src/cli/demo/ledger.ts';
import { newsOfKill, newsOfRunner } from '../../../src/cli/demo/news.ts';

const nameOf = (page: string): string => `shop#${page}`;

function start(replica: string, attempt: number): LedgerLine {
  return { event: 'start', run: '01J', attempt, ticket: '7', pipeline: 'fix-bug', replica, pid: 1 };
}

test.for([
  ['alpha', 1, 'alpha starts fix-bug on shop#7'],
  ['alpha', 2, 'alpha takes shop#7 over: attempt 2'],
  [SERVICE, 1, 'service starts fix-bug on shop#7'],
  [SERVICE, 2, 'service starts fix-bug on shop#7'],
] as const)('a process that %s starts for attempt %i', ([replica, attempt, text]) => {
  expect(newsOfRunner(start(replica, attempt), nameOf)?.text).toBe(text);
});

test.for([
  [[], [], 'alpha is killed (SIGKILL)'],
  [['shop#1', 'shop#2'], [], 'alpha is killed (SIGKILL) while at work on shop#1 and shop#2'],
  [[], ['shop#3'], 'alpha is killed (SIGKILL); the service goes on with shop#3'],
  [['shop#1'], ['shop#3'], 'alpha is killed (SIGKILL) while at work on shop#1; the service goes on with shop#3'],
] as const)('a kill with %j at work and %j at the service', ([stopped, served, text]) => {
  expect(newsOfKill('alpha', stopped, served).text).toBe(text);
});
