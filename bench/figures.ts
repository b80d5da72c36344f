/** How the benches sum up what they have measured, and how they lay it out. */

export interface Measured {
  readonly value: number;
  /** Smallest and largest of the rounds. */
  readonly spread: readonly [number, number];
}

/** The median of the rounds. */
export function measured(values: readonly number[]): Measured {
  return { value: percentile(values, 50), spread: [percentile(values, 0), percentile(values, 100)] };
}

/** NaN of nothing. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * percent) / 100))] ?? Number.NaN;
}

export const whole = (value: number): string => Math.round(value).toLocaleString('en');

export function showSpread({ spread: [low, high] }: Measured, show: (value: number) => string): string {
  return `(${show(low)} - ${show(high)})`;
}

/** Columns: name, value, unit, spread, meaning. Numbers end where numbers end. */
export function table(rows: readonly (readonly [string, string, string, string, string])[]): string[] {
  const width = (column: 0 | 1 | 2 | 3): number => Math.max(...rows.map((row) => row[column].length));
  return rows.map(([name, value, unit, spread, meaning]) =>
    [
      ` ${name.padEnd(width(0))}`,
      value.padStart(width(1)),
      unit.padEnd(width(2)),
      spread.padEnd(width(3)),
      meaning,
    ].join('  '),
  );
}

/** Rows of numbers under a heading, one line for each thing that was measured. */
export function grid(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  return rows.map((row) => ` ${row.map((cell, column) => cell.padStart(widths[column] ?? 0)).join('  ')}`);
}
