/** What the configuration says about itself: that it loads, and what `validate` finds worth saying. */
import type { Config } from '../../config/config.ts';
import type { ConfigFinding } from '../../config/findings.ts';
import { unreachable } from '../../foundation/errors.ts';
import type { CheckState, DoctorCheck } from './check.ts';

export function checkConfig(config: Config): DoctorCheck[] {
  const projects = config.catalog.projects.length;
  return [
    { subject: 'config', check: 'loads', state: 'ok', text: `${projects} ${projects === 1 ? 'project' : 'projects'}` },
    ...config.findings.map(checkOf),
  ];
}

/** What turns a whole project off is more than the warning that it is to those who run the others. */
const TURNED_OFF: Readonly<Record<string, string>> = {
  'credential-missing': 'Set it where agent-smith runs, or give the project an auth: of its own.',
};

function checkOf({ code, severity, text, project }: ConfigFinding): DoctorCheck {
  const subject = project ?? 'config';
  const off = TURNED_OFF[code];
  if (off !== undefined) return { subject, check: code, state: 'problem', text, advice: off };
  return { subject, check: code, state: stateOf(severity), text };
}

function stateOf(severity: ConfigFinding['severity']): CheckState {
  switch (severity) {
    case 'info':
      return 'ok';
    case 'warning':
      return 'warning';
    case 'error':
      return 'problem';
    default:
      return unreachable(severity);
  }
}
