/** What the demo leaves to chance: who does something, to what, and when. */

/** From the least to the most. */
export interface Range {
  readonly least: number;
  readonly most: number;
}

const NAMES = ['mia', 'noah', 'lena', 'ravi', 'zoe'] as const;

export function somebody(): string {
  return pick(NAMES) ?? NAMES[0];
}

export function pick<T>(from: readonly T[]): T | undefined {
  return from[Math.floor(Math.random() * from.length)];
}

export function between({ least, most }: Range): number {
  return least + Math.random() * (most - least);
}
