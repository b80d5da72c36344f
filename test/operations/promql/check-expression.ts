/** Whether an expression could ever find anything: it names metrics, labels and values that the house has. */
import { valuesOf } from '../metric-labels.ts';
import { metricOf, type RealMetric } from '../real-metrics.ts';
import { aggregatesOf, type Expression, type Matcher, type Selector, selectorsOf } from './parse-promql.ts';

/** What Prometheus adds to every sample. */
export const TARGET_LABELS = ['namespace', 'job', 'pod', 'instance', 'service'] as const;

/** Problems in words; none for an expression that is right. */
export function problemsOfExpression(expression: Expression, metrics: ReadonlyMap<string, RealMetric>): string[] {
  const selectors = selectorsOf(expression);
  const ofSelectors = selectors.flatMap((selector) => problemsOfSelector(selector, metrics));
  const ofAggregates = aggregatesOf(expression).flatMap(({ by, of }) => {
    const known = selectorsOf(of).map(({ metric }) => labelsOf(metric, metrics));
    return by
      .filter((label) => !known.every((labels) => labels.has(label)))
      .map((label) => `by ${label}: no such label`);
  });
  const ofCounters = countersWithoutRange(selectors, metrics);
  return selectors.length === 0 ? ['it names no metric'] : [...ofSelectors, ...ofAggregates, ...ofCounters];
}

function problemsOfSelector({ metric, matchers }: Selector, metrics: ReadonlyMap<string, RealMetric>): string[] {
  if (found(metric, metrics) === undefined) return [`no such metric: ${metric}`];
  const labels = labelsOf(metric, metrics);
  return matchers.flatMap((matcher) => {
    const where = `${metric}{${matcher.label}}`;
    if (!labels.has(matcher.label)) return [`${where}: no such label`];
    const known = valuesOf(found(metric, metrics)?.name ?? '', matcher.label);
    return known === undefined
      ? []
      : valuesIn(matcher)
          .filter((value) => !known.has(value))
          .map((value) => `${where}: never ${value}`);
  });
}

/** A counter begins anew with its process: as it stands it says nothing. */
function countersWithoutRange(selectors: readonly Selector[], metrics: ReadonlyMap<string, RealMetric>): string[] {
  return selectors
    .filter(({ metric, rangeMs }) => {
      const type = found(metric, metrics)?.type;
      return (type === 'counter' || type === 'histogram') === (rangeMs === undefined);
    })
    .map(({ metric, rangeMs }) => (rangeMs === undefined ? `${metric}: rate or increase?` : `${metric}: no counter`));
}

/** Of a pattern each alternative; one that is more than a word is taken for a variable of the dashboard. */
function valuesIn({ op, value }: Matcher): readonly string[] {
  return (op.endsWith('~') ? value.split('|') : [value]).filter((one) => /^[a-z0-9-]+$/.test(one));
}

function labelsOf(series: string, metrics: ReadonlyMap<string, RealMetric>): ReadonlySet<string> {
  const metric = found(series, metrics);
  const own = [...(metric?.labels ?? [])].filter((label) => label !== 'le' || series.endsWith('_bucket'));
  return new Set([...own, ...TARGET_LABELS]);
}

function found(
  series: string,
  metrics: ReadonlyMap<string, RealMetric>,
): (RealMetric & { readonly name: string }) | undefined {
  const exact = metrics.get(series);
  if (exact !== undefined) return exact.type === 'histogram' ? undefined : { ...exact, name: series };
  const name = metricOf(series, 'histogram');
  const histogram = metrics.get(name);
  return histogram?.type === 'histogram' ? { ...histogram, name } : undefined;
}
