/**
 * Says what an expression is worth on pages of /metrics that were really scraped. As Prometheus does, but for one thing:
 * `increase` and `rate` are what was seen between the scrapes of their range, without guessing what lies outside of them.
 */
import type { Binary, Call, Expression, Selector } from './parse-promql.ts';
import type { Sample, Scrape } from './scrape.ts';

type Value = number | readonly Sample[];

/** @param scrapes in their order; the last one is now */
export function evaluate(expression: Expression, scrapes: readonly Scrape[]): Value {
  switch (expression.kind) {
    case 'number':
      return expression.value;
    case 'selector':
      return select(expression, scrapes.at(-1)?.samples ?? []).map(withoutName);
    case 'call':
      return call(expression, scrapes);
    case 'aggregate': {
      const groups = Map.groupBy(vector(evaluate(expression.of, scrapes)), ({ labels }) =>
        keyOf(only(labels, expression.by)),
      );
      return [...groups.values()].map((group) => ({
        labels: only(group[0]?.labels ?? {}, expression.by),
        value: reduce(
          expression.op,
          group.map(({ value }) => value),
        ),
      }));
    }
    case 'binary':
      return binary(expression, evaluate(expression.left, scrapes), evaluate(expression.right, scrapes));
    default:
      return expression satisfies never;
  }
}

function call({ name, args }: Call, scrapes: readonly Scrape[]): Value {
  const [first, second] = args;
  const now = scrapes.at(-1)?.atMs ?? 0;
  switch (name) {
    case 'time':
      return now / 1000;
    case 'absent':
      return first !== undefined && vector(evaluate(first, scrapes)).length > 0 ? [] : [{ labels: {}, value: 1 }];
    case 'increase':
    case 'rate': {
      if (first?.kind !== 'selector' || first.rangeMs === undefined) throw new Error(`${name} of no range`);
      const { rangeMs } = first;
      const inRange = scrapes.filter(({ atMs }) => atMs > now - rangeMs);
      const grown = increases(first, inRange);
      return name === 'increase' ? grown : grown.map((one) => ({ ...one, value: one.value / (rangeMs / 1000) }));
    }
    case 'histogram_quantile': {
      if (first?.kind !== 'number' || second === undefined) throw new Error('a quantile of what?');
      return quantiles(first.value, vector(evaluate(second, scrapes)));
    }
    default:
      throw new Error(`unknown function: ${name}`);
  }
}

/** A series that is seen once has not grown: nobody knows from what. */
function increases(selector: Selector, scrapes: readonly Scrape[]): readonly Sample[] {
  const series = new Map<string, { labels: Sample['labels']; last: number; grown: number; seen: number }>();
  for (const { samples } of scrapes) {
    for (const { labels, value } of select(selector, samples)) {
      const key = keyOf(labels);
      const known = series.get(key);
      // A counter that is smaller than before began anew.
      if (known === undefined) series.set(key, { labels, last: value, grown: 0, seen: 1 });
      else {
        known.grown += value >= known.last ? value - known.last : value;
        known.last = value;
        known.seen += 1;
      }
    }
  }
  return [...series.values()]
    .filter(({ seen }) => seen > 1)
    .map(({ labels, grown }) => withoutName({ labels, value: grown }));
}

function quantiles(quantile: number, buckets: readonly Sample[]): readonly Sample[] {
  const groups = Map.groupBy(buckets, ({ labels: { le: _le, ...labels } }) => keyOf(labels));
  return [...groups.values()].flatMap((group) => {
    const { le: _le, ...labels } = group[0]?.labels ?? {};
    const bounds = group
      .map((one) => ({ le: Number(one.labels['le']?.replace('+Inf', 'Infinity')), count: one.value }))
      .toSorted((one, other) => one.le - other.le);
    const total = bounds.at(-1)?.count ?? 0;
    if (total === 0) return [];
    const rank = quantile * total;
    const index = bounds.findIndex(({ count }) => count >= rank);
    const [below, bound] = [bounds[index - 1] ?? { le: 0, count: 0 }, bounds[index] ?? { le: 0, count: 0 }];
    // Beyond the last bound nothing is known but that it lies beyond.
    if (bound.le === Number.POSITIVE_INFINITY) return [{ labels, value: below.le }];
    const share = (rank - below.count) / (bound.count - below.count);
    return [{ labels, value: below.le + (bound.le - below.le) * share }];
  });
}

function binary({ op }: Binary, left: Value, right: Value): Value {
  if (op === 'and' || op === 'unless' || op === 'or') {
    const [here, there] = [vector(left), vector(right)];
    const keys = new Set((op === 'or' ? here : there).map(({ labels }) => keyOf(labels)));
    if (op === 'or') return [...here, ...there.filter(({ labels }) => !keys.has(keyOf(labels)))];
    return here.filter(({ labels }) => keys.has(keyOf(labels)) === (op === 'and'));
  }
  if (typeof left === 'number' && typeof right === 'number') return compute(op, left, right) ?? Number.NaN;
  const pairs = pair(left, right);
  return pairs.flatMap(({ labels, kept, one, other }) => {
    const value = compute(op, one, other);
    if (value !== undefined) return [{ labels, value }];
    return compare(op, one, other) ? [{ labels, value: kept }] : [];
  });
}

/** What is computed with what: equal labels, or one number with all. A comparison keeps the left value, or the vector's. */
function pair(left: Value, right: Value) {
  if (typeof left === 'number') {
    return vector(right).map(({ labels, value }) => ({ labels, kept: value, one: left, other: value }));
  }
  if (typeof right === 'number') {
    return left.map(({ labels, value }) => ({ labels, kept: value, one: value, other: right }));
  }
  const others = new Map(right.map(({ labels, value }) => [keyOf(labels), value]));
  return left.flatMap(({ labels, value }) => {
    const other = others.get(keyOf(labels));
    return other === undefined ? [] : [{ labels, kept: value, one: value, other }];
  });
}

function compute(op: string, one: number, other: number): number | undefined {
  switch (op) {
    case '+':
      return one + other;
    case '-':
      return one - other;
    case '*':
      return one * other;
    case '/':
      return one / other;
    default:
      return undefined;
  }
}

function compare(op: string, one: number, other: number): boolean {
  switch (op) {
    case '==':
      return one === other;
    case '!=':
      return one !== other;
    case '<':
      return one < other;
    case '<=':
      return one <= other;
    case '>':
      return one > other;
    case '>=':
      return one >= other;
    default:
      throw new Error(`unknown operator: ${op}`);
  }
}

function reduce(op: string, values: readonly number[]): number {
  switch (op) {
    case 'count':
      return values.length;
    case 'max':
      return Math.max(...values);
    case 'min':
      return Math.min(...values);
    case 'sum':
      return values.reduce((sum, value) => sum + value, 0);
    default:
      throw new Error(`unknown aggregation: ${op}`);
  }
}

function select({ metric, matchers }: Selector, samples: readonly Sample[]): readonly Sample[] {
  return samples.filter(
    ({ labels }) =>
      labels['__name__'] === metric &&
      matchers.every(({ label, op, value }) => {
        const found = labels[label] ?? '';
        const fits = op.endsWith('~') ? new RegExp(`^(?:${value})$`).test(found) : found === value;
        return fits === !op.startsWith('!');
      }),
  );
}

function vector(value: Value): readonly Sample[] {
  if (typeof value === 'number') throw new Error('a number where series are wanted');
  return value;
}

function withoutName({ labels: { __name__: _name, ...labels }, value }: Sample): Sample {
  return { labels, value };
}

function only(labels: Sample['labels'], names: readonly string[]): Sample['labels'] {
  return Object.fromEntries(Object.entries(labels).filter(([name]) => names.includes(name)));
}

function keyOf(labels: Sample['labels']): string {
  return JSON.stringify(Object.entries(labels).toSorted(([one], [other]) => (one < other ? -1 : 1)));
}
