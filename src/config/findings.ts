/** What is worth saying about a configuration that is good enough to run with. */
import type { Finding } from '../foundation/findings.ts';

export interface ConfigFinding extends Finding {
  /** Undefined when it is about the file as a whole. */
  readonly project?: string;
}

export function warning(code: string, text: string, project?: string): ConfigFinding {
  return { code, severity: 'warning', text, ...(project === undefined ? {} : { project }) };
}

export function info(code: string, text: string, project?: string): ConfigFinding {
  return { code, severity: 'info', text, ...(project === undefined ? {} : { project }) };
}
