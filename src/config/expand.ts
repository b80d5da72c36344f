/**
 * `${VAR}`, `${VAR:-default}` (also when the variable is empty) and `$${` for a literal `${`, in values, never in keys.
 * What was used where is remembered, so that later checks can say which secret would go where.
 */
import type { Path, Problem } from './problems.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

export interface Expansion {
  readonly tree: unknown;
  readonly problems: readonly Problem[];
  /** Every variable that a value refers to, set or not. */
  readonly uses: readonly { readonly path: Path; readonly variable: string }[];
}

const REFERENCE = /\$\$\{|\$\{([^}]*)(\})?/g;
const VARIABLE = /^([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?$/s;

/** Expands every text in `tree`. A text with a problem becomes empty: its problem is the one to report. */
export function expand(tree: unknown, env: Environment): Expansion {
  const problems: Problem[] = [];
  const uses: { path: Path; variable: string }[] = [];

  const expandText = (text: string, path: Path): string => {
    let broken = false;
    const refuse = (message: string): string => {
      problems.push({ path, message });
      broken = true;
      return '';
    };
    const expanded = text.replace(REFERENCE, (whole: string, inner: string | undefined, end: string | undefined) => {
      if (whole === '$${') return '${';
      const [, variable, fallback] = VARIABLE.exec(inner ?? '') ?? [];
      if (end === undefined || variable === undefined) {
        return refuse('must be ${VARIABLE} or ${VARIABLE:-default}; a literal ${ is written $${');
      }
      uses.push({ path, variable });
      const value = env[variable];
      if (fallback !== undefined) return value === undefined || value === '' ? fallback : value;
      return value ?? refuse(`the environment variable ${variable} is not set`);
    });
    return broken ? '' : expanded;
  };

  const visit = (value: unknown, path: Path): unknown => {
    if (typeof value === 'string') return expandText(value, path);
    if (Array.isArray(value)) return value.map((item, index) => visit(item, [...path, index]));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, visit(item, [...path, key])]));
  };

  return { tree: visit(tree, []), problems, uses };
}
