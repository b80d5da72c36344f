/** What the product can say to an operator, read from its sources: findings and lines of the log. */
import { allMatches, type Source } from './pages.ts';

/** A finding that is made in place: `{ code: 'x', severity: ...`, `{ code: NAME, severity: ...` or `{ code, severity: ...`. */
const IN_PLACE = /\bcode(?:: (?:'([a-z-]+)'|(\w+)))?,\s+severity: '/g;
const BY_HELPER = /(?<!\.)\b(?:warning|info)\(\s*'([a-z-]+)'/g;

/** The codes of all findings that a file makes. Throws when one of them cannot be told. */
export function findingCodes({ file, text }: Source): string[] {
  if (file === 'src/config/findings.ts') return [];
  const made = [...text.matchAll(IN_PLACE)].map(([, literal, name = 'code']) => {
    const code = literal ?? constant(text, name);
    if (code === undefined) throw new Error(`${file}: which code is ${name}?`);
    return code;
  });
  const severities = allMatches(text, /\bseverity: ('(?:info|warning|error)'),/g).length;
  if (made.length !== severities) throw new Error(`${file}: a finding is made in an unknown way`);
  return [...made, ...(file.startsWith('src/config/') ? allMatches(text, BY_HELPER) : [])];
}

function constant(text: string, name: string): string | undefined {
  return new RegExp(`\\bconst ${name} = '([^']+)'`).exec(text)?.[1];
}

/** `log.warn(`, `log.error(`, `log[level](`, and the poller's own `warnOnce(`. */
const LOUD = /(?:\blog(?:\.(?:warn|error)|\[[^;]*?\])|(?<!const )\bwarnOnce)\(/g;

/** The messages that a file logs as warnings or errors, or may. */
export function loudMessages({ text }: Source): string[] {
  return [...text.matchAll(LOUD)].flatMap(({ index, 0: call }) => {
    if (/'/.test(call) && !/'(?:warn|error)'/.test(call)) return [];
    const last = lastArgument(text, index + call.length);
    const literal = /^'([^']+)'$/.exec(last)?.[1];
    const message = literal ?? (/^[A-Za-z_]+$/.test(last) ? constant(text, last) : undefined);
    return message === undefined ? [] : [message];
  });
}

/** Of a call whose arguments begin at `from`. */
function lastArgument(text: string, from: number): string {
  let depth = 0;
  let begin = from;
  let quoted = false;
  for (let at = from; at < text.length; at += 1) {
    const char = text[at] ?? '';
    if (char === "'") quoted = !quoted;
    if (quoted) continue;
    if ('([{'.includes(char)) depth += 1;
    else if (')]}'.includes(char)) depth -= 1;
    if (depth < 0) return text.slice(begin, at).trim().replace(/,$/, '').trim();
    // A comma before the closing bracket ends no argument.
    if (char === ',' && depth === 0 && !/^\s*\)/.test(text.slice(at + 1))) begin = at + 1;
  }
  return '';
}
