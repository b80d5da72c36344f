/** What `agent-smith doctor` finds, as data: one line for each thing that it asked about. */

export type CheckState =
  | 'ok'
  /** Works, and should be looked at. */
  | 'warning'
  /** Something does not work. */
  | 'problem'
  /** Cannot be told by asking. */
  | 'unknown';

export interface DoctorCheck {
  /** What was looked at: `config`, `redis`, `network`, a credential, projects by their names. */
  readonly subject: string;
  /** What about it; stable, kebab-case. */
  readonly check: string;
  readonly state: CheckState;
  /** What was seen. May quote what a platform said: redacted before it is shown. */
  readonly text: string;
  /** What a person should do; there unless all is well. */
  readonly advice?: string;
}

/** `14 checks, 12 ok, 1 warning, 1 problem`; what there is none of is left out. */
export function summarise(checks: readonly DoctorCheck[]): string {
  const count = (state: CheckState): number => checks.filter((check) => check.state === state).length;
  const counted = (number: number, word: string): string[] =>
    number === 0 ? [] : [`${number} ${word}${number === 1 || word === 'ok' || word === 'unknown' ? '' : 's'}`];
  return [
    ...counted(checks.length, 'check'),
    ...counted(count('ok'), 'ok'),
    ...counted(count('unknown'), 'unknown'),
    ...counted(count('warning'), 'warning'),
    ...counted(count('problem'), 'problem'),
  ].join(', ');
}
