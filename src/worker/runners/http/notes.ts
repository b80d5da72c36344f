/** What was said between us and a service, in lines for people: times, statuses, pauses. No header, no body, no secret. */
import { REDACTED, type Redactor } from '../../../foundation/redactor.ts';

export interface Notes {
  add(line: string): void;
  /** The first lines and the last ones, redacted. */
  text(): string;
}

/** Of each: how it began, and how it ended. */
const MOST_LINES = 50;

/** `secrets` are those of this attempt alone, beside the ones that the redactor knows. */
export function createNotes({ redact }: Pick<Redactor, 'redact'>, secrets: readonly string[]): Notes {
  const first: string[] = [];
  const last: string[] = [];
  let left = 0;
  return {
    add(text) {
      const line = `${new Date().toISOString()} ${text}`;
      if (first.length < MOST_LINES) first.push(line);
      else last.push(line);
      if (last.length > MOST_LINES) {
        last.shift();
        left += 1;
      }
    },
    text() {
      const lines = [...first, ...(left === 0 ? [] : [`... ${left} more lines ...`]), ...last];
      const all = secrets.reduce((text, secret) => text.replaceAll(secret, REDACTED), lines.join('\n'));
      return redact(all);
    },
  };
}
