/**
 * A guard of the protocol: a piece of a script or of a source file that keeps one promise and nothing else. Each can be
 * taken out, to show that it is needed and that a test notices when it is missing.
 *
 * Two ways to take one out:
 * - of a Lua script, by its mark: the lines of the script that end with `-- guard: NAME` are dropped;
 * - of any file, by exchange: the one place that reads like this gets another text.
 */

export interface Guard {
  /** `WHERE:WHAT`. Without `swap`, WHERE is the Lua script and WHAT the mark on its lines. */
  readonly name: string;
  /** The promise, in one line: what holds because of it. */
  readonly keeps: string;
  readonly swap?: Swap;
  /** The test files that notice when it is missing: paths under test/, without `.test.ts`. */
  readonly killedBy: readonly string[];
  /** Another guard keeps the same promise, so that only the loss of both is noticed. Its own entry stands by itself. */
  readonly coveredBy?: string;
}

export interface Swap {
  /** Under src/. */
  readonly file: string;
  readonly find: string;
  readonly put: string;
}

/** The file under src/ that it stands in. */
export function fileOf({ name, swap }: Guard): string {
  return swap?.file ?? `redis/scripts/${name.split(':')[0]}.lua`;
}

/** The text of its file without it. Throws unless it stands there exactly once: a removal that does nothing proves nothing. */
export function withoutGuard(guard: Guard, text: string): string {
  const { name, swap } = guard;
  if (swap !== undefined) {
    const places = text.split(swap.find).length - 1;
    if (places !== 1) throw new Error(`${name}: its text is ${places} times in ${swap.file}, not once`);
    return text.replace(swap.find, () => swap.put);
  }
  const mark = markOf(guard);
  const lines = text.split('\n');
  const marked = lines.flatMap((line, index) => (line.endsWith(mark) ? [index] : []));
  const [first = 0] = marked;
  // Of several lines, because the guard takes several; apart from each other they would be two guards.
  if (marked.length === 0 || marked.some((line, index) => line !== first + index))
    throw new Error(`${name}: not exactly one place of ${fileOf(guard)} has lines that end with "${mark}"`);
  return lines.filter((line) => !line.endsWith(mark)).join('\n');
}

/** What the lines of a guard of a script end with. */
export function markOf({ name }: Pick<Guard, 'name'>): string {
  return `-- guard: ${name.split(':')[1]}`;
}
