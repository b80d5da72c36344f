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
  const add = (secrets: Iterable<string>): void => {
    for (const secret of secrets) if (secret.length >= SHORTEST_SECRET) known.add(secret);
    // Longest first: a secret that contains another one must not leave its rest behind.
    longestFirst = [...known].sort((a, b) => b.length - a.length);
  };
  add(initial);
  return {
    add,
    redact: (text) => replaceAll(text, longestFirst),
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
 * Redacts a stream: text that may be the beginning of a secret is held back until the next chunk decides, so a secret
 * cut by a chunk border is found.
 */
export function createStreamRedactor(secrets: readonly string[]): StreamRedactor {
  const usable = secrets.filter((secret) => secret.length >= SHORTEST_SECRET).sort((a, b) => b.length - a.length);
  let held = '';
  return {
    push(chunk) {
      const text = replaceAll(held + chunk, usable);
      const cut = text.length - longestOpenSecret(text, usable);
      held = text.slice(cut);
      return text.slice(0, cut);
    },
    end() {
      const rest = held;
      held = '';
      return rest;
    },
  };
}

/** Length of the longest end of `text` that some secret begins with. */
function longestOpenSecret(text: string, secrets: readonly string[]): number {
  let longest = 0;
  for (const secret of secrets) {
    for (let length = Math.min(secret.length - 1, text.length); length > longest; length -= 1) {
      if (text.endsWith(secret.slice(0, length))) longest = length;
    }
  }
  return longest;
}

function replaceAll(text: string, secrets: readonly string[]): string {
  let result = text;
  for (const secret of secrets) if (result.includes(secret)) result = result.replaceAll(secret, REDACTED);
  return result;
}
