/** The alerts are well formed, look for what there is, and lead to a part of the page that says what to do. */
import { describe, expect, test } from 'vitest';
import { ALERTS_FILE, readAlerts } from './alert-rules.ts';
import { allMatches, anchorOf, codeSpans, pageText, section, tableRows } from './pages.ts';
import { problemsOfExpression } from './promql/check-expression.ts';
import { aggregatesOf, durationMs, parsePromql } from './promql/parse-promql.ts';
import { realMetrics } from './real-metrics.ts';

const alerts = readAlerts();
const metrics = await realMetrics();
const page = pageText('docs/operations.md');
const anchors = new Set(allMatches(page, /^#+ (.+)$/gm).map(anchorOf));

test('every alert has a name of its own', () => {
  expect(alerts.length).toBeGreaterThan(20);
  expect(new Set(alerts.map(({ alert }) => alert)).size).toBe(alerts.length);
});

describe.each(alerts)('$alert', ({ expr, annotations, ...rule }) => {
  const expression = parsePromql(expr);

  test('looks for metrics, labels and values that there are', () => {
    expect(problemsOfExpression(expression, metrics)).toEqual([]);
  });

  test('waits for a time that Prometheus understands', () => {
    expect(durationMs(rule.for)).toBeGreaterThanOrEqual(0);
  });

  test('speaks of labels that the alert has', () => {
    const [outermost] = aggregatesOf(expression);
    const said = allMatches(Object.values(annotations).join('\n'), /\$labels\.(\w+)/g);
    // Without an aggregation all labels are left; without a series (absent) none are.
    if (outermost !== undefined) expect(said.filter((label) => !outermost.by.includes(label))).toEqual([]);
    if (expr.startsWith('absent')) expect(said).toEqual([]);
  });

  test('leads to a heading of the page for whoever is on call', () => {
    const [file, anchor] = annotations.runbook_url.split('#');
    expect(file).toBe('docs/operations.md');
    expect(anchors).toContain(anchor);
  });
});

test('the page lists every alert, how long it waits and how bad it is', () => {
  const rows = tableRows(section(page, 'Alerts worth having'), 'alert');
  const told = rows.map(([name = '', when = '']) => [...codeSpans(name), when]);
  expect(told).toEqual(alerts.map(({ alert, labels, ...rule }) => [alert, `${labels.severity}, ${rule.for}`]));
  expect(section(page, 'Alerts worth having')).toContain(`../${ALERTS_FILE}`);
});
