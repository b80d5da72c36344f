/**
 * Keeps secrets out of everything that leaves the process. The list of secrets can grow while the process lives (a
 * reloaded config, a token per project), so a redactor is shared and asked at write time.
 */

export const REDACTED = '[redacted]';

/** Shorter values are not treated as secrets: replacing every "1" would destroy the text and protect nothing. */
const SHORTEST_SECRET = 6;
const A_DAY_MS = 86_400_000;

export interface Redactor {
  /** Adds secrets. Values shorter than 6 characters are ignored. */
  add(secrets: Iterable<string>): void;
  /** Adds a token that its issuer lets live for hours. A day later it is forgotten: there are many in the life of a process. */
  learn(token: string): void;
  /** The text with every known secret replaced. */
  redact(text: string): string;
  /** The known secrets, longest first. */
  secrets(): readonly string[];
}

export function createRedactor(initial: Iterable<string> = []): Redactor {
  const known = new Set<string>();
  /** Tokens, and until when they are remembered: the oldest first. */
  const passing = new Map<string, number>();
  let longestFirst: string[] = [];
  let pattern: RegExp | undefined;
  const build = (): void => {
    longestFirst = usable([...known, ...passing.keys()]);
    pattern = patternOf(longestFirst);
  };
  const add = (secrets: Iterable<string>): void => {
    for (const secret of secrets) known.add(secret);
    build();
  };
  add(initial);
  return {
    add,
    learn(token) {
      const nowMs = performance.now();
      for (const [old, untilMs] of passing) if (untilMs <= nowMs) passing.delete(old);
      passing.set(token, nowMs + A_DAY_MS);
      build();
    },
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
 * Redacts a stream. Text is held back only from where it may still become a secret, or a longer one than it is already;
 * so neither a secret cut by a chunk border nor one that begins with another one gets out, and nothing else waits.
 */
export function createStreamRedactor(secrets: readonly string[]): StreamRedactor {
  const longestFirst = usable(secrets);
  const pattern = patternOf(longestFirst);
  let held = '';

  /** The first place from `from` on where the text ends in the middle of some secret; its length if there is none. */
  const undecided = (text: string, from: number): number => {
    const longest = longestFirst[0]?.length ?? 0;
    for (let at = Math.max(from, text.length - longest + 1); at < text.length; at += 1) {
      const end = text.slice(at);
      if (longestFirst.some((secret) => secret.length > end.length && secret.startsWith(end))) return at;
    }
    return text.length;
  };

  const show = (text: string, last: boolean): string => {
    let shown = '';
    let from = 0;
    for (;;) {
      const decided = last ? text.length : undecided(text, from);
      const match = pattern === undefined ? null : matchFrom(pattern, text, from);
      if (match === null || match.index >= decided) {
        held = text.slice(decided);
        return shown + text.slice(from, decided);
      }
      shown += text.slice(from, match.index) + REDACTED;
      from = match.index + match[0].length;
    }
  };
  return {
    push: (chunk) => show(held + chunk, false),
    end: () => show(held, true),
  };
}

function matchFrom(pattern: RegExp, text: string, from: number): RegExpExecArray | null {
  pattern.lastIndex = from;
  return pattern.exec(text);
}

/**
 * Longest first: a secret that begins with another one must not leave its rest behind. With each also the form that it
 * has inside JSON, where quotes, backslashes and line breaks are escaped: log lines are JSON.
 */
function usable(secrets: Iterable<string>): string[] {
  const forms = [...secrets]
    .filter((secret) => secret.length >= SHORTEST_SECRET)
    .flatMap((secret) => [secret, JSON.stringify(secret).slice(1, -1)]);
  return [...new Set(forms)].sort((a, b) => b.length - a.length);
}

function patternOf(longestFirst: readonly string[]): RegExp | undefined {
  if (longestFirst.length === 0) return undefined;
  return new RegExp(longestFirst.map((secret) => secret.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')).join('|'), 'g');
}
