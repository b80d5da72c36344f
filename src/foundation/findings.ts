/**
 * What an operator should know although nothing is down: collected here, shown by `/health` and counted in metrics.
 * A finding never turns readiness off.
 */
export interface Finding {
  /** Stable, kebab-case: what alerts and the operations page refer to. */
  readonly code: string;
  readonly severity: 'info' | 'warning' | 'error';
  /** One sentence that says what to do. No URL, token or ticket text. */
  readonly text: string;
}

export interface Findings {
  /** Adds or replaces the finding about `subject` (a project, a source; empty for the whole process). */
  raise(finding: Finding, subject?: string): void;
  clear(code: string, subject?: string): void;
  all(): Finding[];
}

export function createFindings(): Findings {
  const known = new Map<string, Finding>();
  const key = (code: string, subject = ''): string => `${code} ${subject}`;
  return {
    raise: (finding, subject) => known.set(key(finding.code, subject), finding),
    clear: (code, subject) => known.delete(key(code, subject)),
    all: () => [...known.values()],
  };
}
