/** The check of expressions finds what is wrong, and the evaluation says what Prometheus would. */
import { expect, test } from 'vitest';
import { realMetrics } from '../real-metrics.ts';
import { problemsOfExpression } from './check-expression.ts';
import { evaluate } from './evaluate-promql.ts';
import { parsePromql } from './parse-promql.ts';
import { readScrape } from './scrape.ts';

const metrics = await realMetrics();

test.each([
  ['agentsmith_redy', 'no such metric: agentsmith_redy'],
  ['rate(agentsmith_label_lag_seconds[5m])', 'no such metric: agentsmith_label_lag_seconds'],
  ['agentsmith_ready{role="poller"}', 'agentsmith_ready{role}: no such label'],
  ['max by (project) (agentsmith_ready)', 'by project: no such label'],
  ['agentsmith_findings{code=~"recovering|poll-faling"}', 'agentsmith_findings{code}: never poll-faling'],
  ['increase(agentsmith_claims_total{outcome!="claim"}[5m])', 'agentsmith_claims_total{outcome}: never claim'],
  ['agentsmith_claims_total > 0', 'agentsmith_claims_total: rate or increase?'],
  ['rate(agentsmith_ready[5m])', 'agentsmith_ready: no counter'],
  ['sum by (le) (rate(agentsmith_label_lag_seconds_count[5m]))', 'by le: no such label'],
  ['time() > 1', 'it names no metric'],
])('%s is wrong', (expr, problem) => {
  expect(problemsOfExpression(parsePromql(expr), metrics)).toContain(problem);
});

test.each([
  'sum(agentsmith_ready',
  'sum(agentsmith_ready))',
  'sum by project (agentsmith_ready)',
  'agentsmith_ready{code}',
  'agentsmith_ready[5]',
  'agentsmith_ready > > 1',
  'nonsense(agentsmith_ready)',
  'rate(agentsmith_claims_total[5m], 1)',
  'agentsmith_ready; 1',
])('%s is not understood', (expr) => {
  expect(() => parsePromql(expr)).toThrow(/ expected before |^not understood: /);
});

const PAGES = [
  'a_total{x="1"} 5\na_total{x="2"} 1\nh_bucket{le="1"} 0\nh_bucket{le="60"} 0\nh_bucket{le="+Inf"} 0\nup 1',
  'a_total{x="1"} 7\na_total{x="2"} 1\nh_bucket{le="1"} 5\nh_bucket{le="60"} 9\nh_bucket{le="+Inf"} 10\nup 1',
  'a_total{x="1"} 2\na_total{x="2"} 1\nh_bucket{le="1"} 5\nh_bucket{le="60"} 9\nh_bucket{le="+Inf"} 10\nup 0',
];
const scrapes = PAGES.map((page, i) => readScrape(page, i * 30_000, { job: 'j' }));
const series = (labels: object, value: number) => ({ labels: { ...labels }, value });

test.each<[string, unknown]>([
  // 5 to 7, then begun anew with 2.
  ['sum by (x) (increase(a_total[5m]))', [series({ x: '1' }, 4), series({ x: '2' }, 0)]],
  ['rate(a_total{x="1"}[1m])', [series({ job: 'j', x: '1' }, 2 / 60)]],
  ['sum(increase(a_total[5m])) > 4', []],
  ['max by (job) (up) == 0', [series({ job: 'j' }, 0)]],
  ['max by (job) (up) > 0', []],
  ['time() - max(up) > 2 * 20 + 1', [series({}, 60)]],
  ['absent(up)', []],
  ['absent(down)', [series({}, 1)]],
  ['count(up) + 1', [series({}, 2)]],
  ['max by (job) (up) unless max by (job) (down)', [series({ job: 'j' }, 0)]],
  ['max by (job) (up) unless max by (job) (a_total)', []],
  ['max by (job) (up) and max by (x) (a_total)', []],
  ['max by (job) (down) or max by (job) (up)', [series({ job: 'j' }, 0)]],
  ['histogram_quantile(0.5, sum by (le) (increase(h_bucket[5m])))', [series({}, 1)]],
  // What lies beyond the last bound is told as that bound.
  ['histogram_quantile(0.95, sum by (le) (increase(h_bucket[5m])))', [series({}, 60)]],
  ['a_total{x=~"1|2"} / a_total{x!="2"}', [series({ job: 'j', x: '1' }, 1)]],
])('%s', (expr, expected) => {
  expect(evaluate(parsePromql(expr), scrapes)).toEqual(expected);
});
