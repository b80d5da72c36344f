/**
 * Keeps secrets out of everything that leaves the process. The list of secrets can grow while the process lives (a
 * reloaded config, a token per project), so a redactor is shared and asked at write time.
 */

export const REDACTED = '[redacted]';

/** Shorter values are not treated as secrets: replacing every "1" would destroy the text and protect nothing. */
const SHORTEST_SECRET = 6;

export interface Redactor {
  /** Adds secrets. Values shorter than 6 characters are ignored. */
  add(secrets: Iterable<string>): void;
  /** The text with every known secret replaced. */
  redact(text: string): string;
  /** The known secrets, longest first. */
  secrets(): readonly string[];
}

export function createRedactor(initial: Iterable<string> = []): Redactor {
  const known = new Set<string>();
  let longestFirst: string[] = [];
  let pattern: RegExp | undefined;
  const add = (secrets: Iterable<string>): void => {
    for (const secret of secrets) known.add(secret);
    longestFirst = usable(known);
    pattern = patternOf(longestFirst);
  };
  add(initial);
  return {
    add,
    redact: (text) => (pattern === undefined ? text : text.replace(pattern, REDACTED)),
    secrets: () => longestFirst,
  };
}

export interface StreamRedactor {
  /** Takes the next chunk, returns what can be shown already. */
  push(chunk: string): string;
  /** Returns what was held back. */
  end(): string;
}

/**
 * Redacts a stream. A place in the text is decided once enough of what follows is there to hold the longest secret, so
 * neither a secret cut by a chunk border nor one that begins with another one gets out.
 */
export function createStreamRedactor(secrets: readonly string[]): StreamRedactor {
  const longestFirst = usable(secrets);
  const pattern = patternOf(longestFirst);
  const undecided = (longestFirst[0]?.length ?? 1) - 1;
  let held = '';

  /** Shows the text up to where it is decided, and holds the rest. */
  const show = (text: string, decided: number): string => {
    let shown = '';
    let from = 0;
    for (const match of pattern === undefined ? [] : text.matchAll(pattern)) {
      if (match.index >= decided) break;
      shown += text.slice(from, match.index) + REDACTED;
      from = match.index + match[0].length;
    }
    const to = Math.max(from, decided);
    held = text.slice(to);
    return shown + text.slice(from, to);
  };
  return {
    push(chunk) {
      const text = held + chunk;
      return show(text, Math.max(0, text.length - undecided));
    },
    end: () => show(held, held.length),
  };
}

/** Longest first: a secret that begins with another one must not leave its rest behind. */
function usable(secrets: Iterable<string>): string[] {
  return [...new Set(secrets)]
    .filter((secret) => secret.length >= SHORTEST_SECRET)
    .sort((a, b) => b.length - a.length);
}

function patternOf(longestFirst: readonly string[]): RegExp | undefined {
  if (longestFirst.length === 0) return undefined;
  return new RegExp(longestFirst.map((secret) => secret.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')).join('|'), 'g');
}
