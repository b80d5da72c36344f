/**
 * As much of PromQL as our alerts and panels are written in, read strictly: whatever is not known here fails the test that
 * reads it, so that expressions stay plain enough to be evaluated in a test.
 */

export interface Matcher {
  readonly label: string;
  readonly op: '=' | '!=' | '=~' | '!~';
  readonly value: string;
}

export interface Selector {
  readonly kind: 'selector';
  readonly metric: string;
  readonly matchers: readonly Matcher[];
  /** Of a range, `[5m]`; undefined: the newest value. */
  readonly rangeMs: number | undefined;
}

export interface Call {
  readonly kind: 'call';
  readonly name: string;
  readonly args: readonly Expression[];
}

export interface Aggregate {
  readonly kind: 'aggregate';
  readonly op: string;
  readonly by: readonly string[];
  readonly of: Expression;
}

export interface Binary {
  readonly kind: 'binary';
  readonly op: string;
  readonly left: Expression;
  readonly right: Expression;
}

export type Expression = { readonly kind: 'number'; readonly value: number } | Selector | Call | Aggregate | Binary;

/** How many arguments each takes. */
const FUNCTIONS = new Map([
  ['absent', 1],
  ['histogram_quantile', 2],
  ['increase', 1],
  ['rate', 1],
  ['time', 0],
]);
const AGGREGATES = new Set(['count', 'max', 'min', 'sum']);
/** From those that bind least. All of them are read from the left. */
const BINARY: readonly (readonly string[])[] = [
  ['or'],
  ['and', 'unless'],
  ['==', '!=', '<=', '<', '>=', '>'],
  ['+', '-'],
  ['*', '/'],
];
const UNIT_MS = new Map([
  ['s', 1_000],
  ['m', 60_000],
  ['h', 3_600_000],
  ['d', 86_400_000],
]);

const TOKEN =
  /\s*(?:([A-Za-z_]\w*)|(\d+[smhd])|(\d+(?:\.\d+)?)|"((?:[^"\\]|\\.)*)"|(=~|!~|[=!<>]=|[-+*/(){}[\],=<>]))/y;

interface Token {
  readonly kind: 'word' | 'duration' | 'number' | 'text' | 'sign';
  readonly text: string;
}

/** @throws Error that shows where the expression is not understood */
export function parsePromql(text: string): Expression {
  const tokens = tokensOf(text);
  let at = 0;
  const fail = (wanted: string): never => {
    const rest = tokens.slice(at, at + 5).map((token) => token.text);
    throw new Error(`${wanted} expected before "${rest.join(' ')}" in: ${text}`);
  };
  const is = (sign: string): boolean => tokens[at]?.text === sign && tokens[at]?.kind !== 'text';
  const skip = (sign: string): boolean => {
    if (!is(sign)) return false;
    at += 1;
    return true;
  };
  const take = (kind: Token['kind']): string => {
    const token = tokens[at];
    if (token?.kind !== kind) return fail(`a ${kind}`);
    at += 1;
    return token.text;
  };
  const takeSign = (sign: string): void => {
    if (!skip(sign)) fail(sign);
  };
  const listUntil = <T>(end: string, item: () => T): T[] => {
    const items: T[] = [];
    while (!is(end)) {
      items.push(item());
      if (!skip(',')) break;
    }
    takeSign(end);
    return items;
  };

  const matcher = (): Matcher => {
    const label = take('word');
    const op = take('sign');
    if (op !== '=' && op !== '!=' && op !== '=~' && op !== '!~') return fail('a matcher');
    return { label, op, value: JSON.parse(`"${take('text')}"`) as string };
  };
  const selector = (metric: string): Selector => {
    const matchers = skip('{') ? listUntil('}', matcher) : [];
    if (!skip('[')) return { kind: 'selector', metric, matchers, rangeMs: undefined };
    const rangeMs = durationMs(take('duration'));
    takeSign(']');
    return { kind: 'selector', metric, matchers, rangeMs };
  };
  const aggregate = (op: string): Aggregate => {
    const by = skip('by') ? (takeSign('('), listUntil(')', () => take('word'))) : [];
    takeSign('(');
    const of = binary(0);
    takeSign(')');
    return { kind: 'aggregate', op, by, of };
  };
  const call = (name: string): Call => {
    takeSign('(');
    const args = listUntil(')', () => binary(0));
    if (args.length !== FUNCTIONS.get(name)) fail(`the arguments of ${name}`);
    return { kind: 'call', name, args };
  };
  const primary = (): Expression => {
    if (skip('(')) {
      const inner = binary(0);
      takeSign(')');
      return inner;
    }
    if (tokens[at]?.kind === 'number') return { kind: 'number', value: Number(take('number')) };
    const word = take('word');
    if (AGGREGATES.has(word)) return aggregate(word);
    if (FUNCTIONS.has(word)) return call(word);
    return is('(') ? fail(`a known function instead of ${word}`) : selector(word);
  };
  const binary = (level: number): Expression => {
    const ops = BINARY[level];
    if (ops === undefined) return primary();
    let left = binary(level + 1);
    for (let op = ops.find(skip); op !== undefined; op = ops.find(skip)) {
      left = { kind: 'binary', op, left, right: binary(level + 1) };
    }
    return left;
  };

  const whole = binary(0);
  if (at < tokens.length) fail('the end');
  return whole;
}

/** @throws Error for anything but a number with one unit */
export function durationMs(text: string): number {
  const [, count, unit = ''] = /^(\d+)([smhd])$/.exec(text) ?? [];
  const unitMs = UNIT_MS.get(unit);
  if (unitMs === undefined) throw new Error(`no duration: ${text}`);
  return Number(count) * unitMs;
}

/** Every selector of an expression, wherever it stands. */
export function selectorsOf(expression: Expression): readonly Selector[] {
  switch (expression.kind) {
    case 'number':
      return [];
    case 'selector':
      return [expression];
    case 'call':
      return expression.args.flatMap(selectorsOf);
    case 'aggregate':
      return selectorsOf(expression.of);
    case 'binary':
      return [...selectorsOf(expression.left), ...selectorsOf(expression.right)];
    default:
      return expression satisfies never;
  }
}

/** Every aggregation, wherever it stands. */
export function aggregatesOf(expression: Expression): readonly Aggregate[] {
  switch (expression.kind) {
    case 'number':
    case 'selector':
      return [];
    case 'call':
      return expression.args.flatMap(aggregatesOf);
    case 'aggregate':
      return [expression, ...aggregatesOf(expression.of)];
    case 'binary':
      return [...aggregatesOf(expression.left), ...aggregatesOf(expression.right)];
    default:
      return expression satisfies never;
  }
}

function tokensOf(text: string): readonly Token[] {
  const tokens: Token[] = [];
  const input = text.trim();
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < input.length) {
    const from = TOKEN.lastIndex;
    const [, word, duration, number, quoted, sign] = TOKEN.exec(input) ?? [];
    if (word !== undefined) tokens.push({ kind: 'word', text: word });
    else if (duration !== undefined) tokens.push({ kind: 'duration', text: duration });
    else if (number !== undefined) tokens.push({ kind: 'number', text: number });
    else if (quoted !== undefined) tokens.push({ kind: 'text', text: quoted });
    else if (sign !== undefined) tokens.push({ kind: 'sign', text: sign });
    else throw new Error(`not understood: ${input.slice(from)}`);
  }
  return tokens;
}
