/** Durations as people read them: `12 s`, `4 min 12 s`, `2 h 5 min`, `3 d 4 h`. */

const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1_000],
] as const;

/** At most two units, the larger first; rounded to whole seconds. */
export function durationText(ms: number): string {
  let leftMs = Math.round(ms / 1000) * 1000;
  const parts = UNITS.map(([name, unitMs]) => {
    const count = Math.floor(leftMs / unitMs);
    leftMs -= count * unitMs;
    return { name, count };
  });
  const first = parts.findIndex(({ count }) => count > 0);
  const shown = parts.slice(first).filter(({ count }, i) => i < 2 && count > 0);
  return first === -1 ? '0 s' : shown.map(({ name, count }) => `${count} ${name}`).join(' ');
}
