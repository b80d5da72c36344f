/**
 * What a platform lists of its hooks and of the deliveries that they made. Such lists may be long, and one look has to
 * end: what lies behind the last page that is read is a reason to poll.
 */

/** The first pages of a list, and whether that was all of it; the page behind them is asked for and left unread. */
export async function firstPages<T>(
  pages: AsyncIterable<readonly T[]>,
  mostPages: number,
): Promise<{ readonly items: readonly T[]; readonly isWhole: boolean }> {
  const items: T[] = [];
  let read = 0;
  for await (const page of pages) {
    if (read === mostPages) return { items, isWhole: false };
    read += 1;
    items.push(...page);
  }
  return { items, isWhole: true };
}

/** One try of a platform to deliver. */
export interface Attempt {
  /** Of the delivery: the same for every try. */
  readonly id: string;
  /** Wall-clock ms; NaN where the platform does not tell, which then counts as young: rather asked for once too often. */
  readonly atMs: number;
  readonly hasArrived: boolean;
}

/**
 * Of every delivery that never arrived the first try since then, the oldest first. All tries have to be in the list, the
 * newest first: filters of platforms for failures leave out what was never answered.
 */
export async function neverArrived<T extends Attempt>(
  pages: AsyncIterable<readonly T[]>,
  { sinceMs, mostPages }: { readonly sinceMs: number; readonly mostPages: number },
): Promise<{ readonly failed: readonly T[]; readonly isWhole: boolean }> {
  const tries: T[] = [];
  let isWhole = true;
  let read = 0;
  for await (const page of pages) {
    isWhole = read < mostPages;
    if (!isWhole) break;
    read += 1;
    const young = page.filter(({ atMs }) => !(atMs < sinceMs));
    tries.push(...young);
    if (young.length < page.length) break;
  }
  const arrived = new Set(tries.filter(({ hasArrived }) => hasArrived).map(({ id }) => id));
  const firsts = new Map<string, T>();
  // Times may be whole seconds: within one only the order of the list tells which was first.
  for (const one of tries.toReversed()) if (!arrived.has(one.id) && !firsts.has(one.id)) firsts.set(one.id, one);
  return { failed: [...firsts.values()], isWhole };
}
