/** What is worth saying about a configuration that is good enough to run with. */

export interface Finding {
  /** Stable name for dashboards and tests, for example `credential-missing`. */
  readonly code: string;
  readonly severity: 'info' | 'warning';
  /** For people; holds no URL, token or ticket text, because `/health` shows it. */
  readonly text: string;
  readonly project?: string;
}

export function warning(code: string, text: string, project?: string): Finding {
  return { code, severity: 'warning', text, ...(project === undefined ? {} : { project }) };
}

export function info(code: string, text: string, project?: string): Finding {
  return { code, severity: 'info', text, ...(project === undefined ? {} : { project }) };
}
