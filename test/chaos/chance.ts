/** Chance that can be replayed: the same seed draws the same numbers. Each lane of the play has a stream of its own. */

export interface Chance {
  /** From 0 up to, not including, 1. */
  next(): number;
  between(least: number, most: number): number;
  /** Whether something with this probability happens. */
  happens(probability: number): boolean;
  /** Throws when there is nothing to pick from. */
  pick<T>(from: readonly T[]): T;
}

/** @param name separates the streams of one seed. */
export function createChance(seed: number, name: string): Chance {
  // Mulberry32: small, and evenly enough spread for choosing faults.
  let state = hash(`${seed} ${name}`);
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return {
    next,
    between: (least, most) => least + next() * (most - least),
    happens: (probability) => next() < probability,
    pick(from) {
      if (from.length === 0) throw new Error(`nothing to pick from for ${name}`);
      return from[Math.floor(next() * from.length)] as (typeof from)[number];
    },
  };
}

/** FNV-1a. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (const char of text) value = Math.imul(value ^ char.charCodeAt(0), 0x01000193);
  return value | 0;
}
