/** Which alerts find something. How long they then wait (`for`) is left out: it only says when somebody is told. */
import { readAlerts } from './alert-rules.ts';
import { evaluate } from './promql/evaluate-promql.ts';
import { parsePromql } from './promql/parse-promql.ts';
import type { Scrape } from './promql/scrape.ts';

const alerts = readAlerts().map(({ alert, expr }) => ({ alert, expression: parsePromql(expr) }));

/** @param scrapes in their order; the last one is now */
export function firing(scrapes: readonly Scrape[]): ReadonlySet<string> {
  const found = alerts.filter(({ expression }) => {
    const value = evaluate(expression, scrapes);
    return typeof value !== 'number' && value.length > 0;
  });
  return new Set(found.map(({ alert }) => alert));
}
