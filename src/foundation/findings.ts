/**
 * What an operator should know although nothing is down: collected here, shown by `/health` and counted in metrics.
 * A finding never turns readiness off.
 */
import { elapsedMs, type Moment, now } from './clock.ts';

export interface Finding {
  /** Stable, kebab-case: what alerts and the operations page refer to. */
  readonly code: string;
  readonly severity: 'info' | 'warning' | 'error';
  /** One sentence that says what to do. No URL, token or ticket text. */
  readonly text: string;
}

export interface Findings {
  /**
   * Adds or replaces the finding about `subject` (a project, a source; empty for the whole process). With `forMs` it goes
   * by itself: for what nobody comes back to look at.
   */
  raise(finding: Finding, subject?: string, forMs?: number): void;
  clear(code: string, subject?: string): void;
  all(): Finding[];
}

interface Known {
  readonly finding: Finding;
  readonly at: Moment;
  readonly forMs: number;
}

export function createFindings(clock: () => Moment = now): Findings {
  const known = new Map<string, Known>();
  const key = (code: string, subject = ''): string => `${code} ${subject}`;
  return {
    raise: (finding, subject, forMs = Number.POSITIVE_INFINITY) =>
      known.set(key(finding.code, subject), { finding, at: clock(), forMs }),
    clear: (code, subject) => known.delete(key(code, subject)),
    all() {
      for (const [name, { at, forMs }] of known) if (elapsedMs(at, clock()) >= forMs) known.delete(name);
      return [...known.values()].map(({ finding }) => finding);
    },
  };
}
