/** The dashboard is one that Grafana takes, every panel asks for what there is, and says what it shows. */
import { expect, test } from 'vitest';
import { z } from 'zod';
import { grafanaDashboard } from '../../scripts/grafana-dashboard.ts';
import { allMatches, pageText } from './pages.ts';
import { problemsOfExpression, TARGET_LABELS } from './promql/check-expression.ts';
import { aggregatesOf, parsePromql, selectorsOf } from './promql/parse-promql.ts';
import { realMetrics } from './real-metrics.ts';

const gridPos = z.strictObject({ x: z.int().min(0), y: z.int().min(0), w: z.int().min(1), h: z.int().min(1) });
const datasource = z.strictObject({ type: z.literal('prometheus'), uid: z.literal('${datasource}') });
const target = z.looseObject({
  refId: z.string(),
  datasource,
  expr: z.string(),
  legendFormat: z.string().min(1),
});
const row = z.strictObject({
  id: z.int().min(1),
  type: z.literal('row'),
  title: z.string().min(1),
  collapsed: z.literal(false),
  gridPos,
  panels: z.array(z.never()),
});
const panel = z.strictObject({
  id: z.int().min(1),
  type: z.enum(['stat', 'timeseries', 'table']),
  title: z.string().min(1),
  description: z.string().min(10),
  datasource,
  gridPos,
  targets: z.array(target).min(1),
  fieldConfig: z.looseObject({ overrides: z.array(z.never()) }),
  options: z.looseObject({}),
});
const dashboard = z.looseObject({
  uid: z.string().regex(/^[a-zA-Z0-9_-]{1,40}$/),
  title: z.string().min(1),
  schemaVersion: z.int().min(36),
  templating: z.strictObject({ list: z.array(z.looseObject({ name: z.string(), type: z.string() })) }),
  panels: z.array(z.discriminatedUnion('type', [row, panel])),
});

const { panels, templating } = dashboard.parse(JSON.parse(pageText('helm/agentsmith/files/dashboard.json')));
const shown = panels.filter((one) => one.type !== 'row');
const targets = shown.flatMap((one) => one.targets.map((asked) => ({ panel: one.title, ...asked })));
const metrics = await realMetrics();

/** As Grafana would fill in its variables of time. */
const parse = (expr: string) => parsePromql(expr.replaceAll('$__rate_interval', '5m'));

test('the file is the one that the code makes', () => {
  expect(JSON.parse(pageText('helm/agentsmith/files/dashboard.json'))).toEqual(
    JSON.parse(JSON.stringify(grafanaDashboard())),
  );
});

test('panels have numbers and titles of their own', () => {
  expect(shown.length).toBeGreaterThan(25);
  expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
  expect(new Set(panels.map(({ title }) => title)).size).toBe(panels.length);
});

test('no two panels lie over each other, and none beyond the edge', () => {
  const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
    Array.from({ length: w * h }, (_, i) => [x + (i % w), y + Math.floor(i / w)] as const),
  );
  expect(cells.filter(([x]) => x >= 24)).toEqual([]);
  expect(new Set(cells.map(String)).size).toBe(cells.length);
});

test('every expression looks for metrics, labels and values that there are', () => {
  const wrong = targets.map(({ panel: title, expr }) => ({
    title,
    problems: problemsOfExpression(parse(expr), metrics),
  }));
  expect(wrong.filter(({ problems }) => problems.length > 0)).toEqual([]);
});

test('every expression is about the chosen deployment, and every legend names labels that are left', () => {
  const scope = [
    { label: 'namespace', op: '=~', value: '$namespace' },
    { label: 'job', op: '=', value: '$job' },
  ];
  for (const { expr, legendFormat } of targets) {
    for (const { matchers } of selectorsOf(parse(expr))) expect(matchers.slice(0, 2)).toEqual(scope);
    const [outermost] = aggregatesOf(parse(expr));
    const named = allMatches(legendFormat, /\{\{(\w+)\}\}/g);
    expect(named.filter((label) => !outermost?.by.includes(label))).toEqual([]);
  }
});

test('the variables that are used are those that there are', () => {
  const text = JSON.stringify({ panels, list: templating.list });
  const used = new Set(allMatches(text, /\$\{?([a-z]+)\b/g));
  expect(used).toEqual(new Set(templating.list.map(({ name }) => name)));
  expect(templating.list.map(({ type }) => type)).toEqual(['datasource', 'query', 'query']);
  const asked = allMatches(text, /label_values\((\w+)/g);
  expect(asked.filter((metric) => !metrics.has(metric))).toEqual([]);
  const labels = allMatches(text, /label_values\([^)]*, (\w+)\)/g);
  expect(labels.filter((label) => !TARGET_LABELS.some((known) => known === label))).toEqual([]);
});

test('what an operator asks first has a panel', () => {
  const asked = new Set(targets.flatMap(({ expr }) => selectorsOf(parse(expr)).map(({ metric }) => metric)));
  const missing = [...metrics.keys()].filter(
    (name) => !/^agentsmith_(process|nodejs)_/.test(name) && !asked.has(name) && !asked.has(`${name}_bucket`),
  );
  // Told as a share, or only of use beside the log.
  expect(missing).toEqual(['agentsmith_sync_skipped_total']);
});
