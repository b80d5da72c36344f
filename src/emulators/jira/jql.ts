/**
 * The part of JQL that clients of labels use: comparisons, lists, AND, OR, NOT, parentheses, ORDER BY, quoted strings
 * with escapes. What it does not know it refuses aloud, as Jira refuses a query with a mistake in it: an ignored clause
 * would answer too much.
 */
import { JqlError, type Token, tokenize } from './jql-tokens.ts';

export type Operator = '=' | '!=' | '>' | '>=' | '<' | '<=' | 'in' | 'not in' | 'is' | 'is not';

export type Condition =
  | { readonly kind: 'and' | 'or'; readonly parts: readonly Condition[] }
  | { readonly kind: 'not'; readonly part: Condition }
  | {
      readonly kind: 'compare';
      readonly field: string;
      readonly operator: Operator;
      readonly values: readonly string[];
    };

export interface OrderTerm {
  readonly field: string;
  readonly descending: boolean;
}

export interface Query {
  /** Missing in a query without restriction. */
  readonly where: Condition | undefined;
  readonly orderBy: readonly OrderTerm[];
}

const RESERVED = new Set([
  'and',
  'or',
  'not',
  'in',
  'is',
  'order',
  'by',
  'empty',
  'null',
  'was',
  'changed',
  'asc',
  'desc',
]);
const MAX_ORDER_TERMS = 7;

/** @throws JqlError */
export function parseJql(text: string): Query {
  const tokens = tokenize(text);
  let position = 0;
  const peek = (): Token => tokens[position] ?? endOf(text);
  const isWord = (word: string): boolean => peek().kind === 'word' && peek().text.toLowerCase() === word;
  const take = (): Token => {
    const token = peek();
    position += 1;
    return token;
  };
  const takeWord = (word: string): boolean => {
    if (!isWord(word)) return false;
    position += 1;
    return true;
  };
  const takeSymbol = (symbol: string): boolean => {
    if (peek().kind !== 'symbol' || peek().text !== symbol) return false;
    position += 1;
    return true;
  };
  const expectSymbol = (symbol: string): void => {
    if (!takeSymbol(symbol)) throw unexpected(peek(), `'${symbol}'`);
  };

  const value = (): string => {
    const token = take();
    if (token.kind === 'string') return token.text;
    if (token.kind !== 'word') throw unexpected(token, 'either a value, list or function');
    if (RESERVED.has(token.text.toLowerCase())) {
      throw mistake(
        `Expecting either a value, list or function but got '${token.text}'. You must surround '${token.text}' in quotation marks to use it as a value.`,
        token,
      );
    }
    return token.text;
  };
  const list = (): string[] => {
    expectSymbol('(');
    const values = [value()];
    while (takeSymbol(',')) values.push(value());
    expectSymbol(')');
    return values;
  };
  const compare = (): Condition => {
    const name = take();
    if (name.kind !== 'word' && name.kind !== 'string') throw unexpected(name, 'a field name');
    const field = name.text.toLowerCase();
    if (takeWord('in')) return { kind: 'compare', field, operator: 'in', values: list() };
    if (takeWord('not')) {
      if (!takeWord('in')) throw unexpected(peek(), "'in'");
      return { kind: 'compare', field, operator: 'not in', values: list() };
    }
    if (takeWord('is')) {
      const operator = takeWord('not') ? 'is not' : 'is';
      if (!takeWord('empty') && !takeWord('null')) throw unexpected(peek(), "'EMPTY' or 'NULL'");
      return { kind: 'compare', field, operator, values: [] };
    }
    const operator = take();
    if (operator.kind !== 'symbol' || !isComparison(operator.text)) throw unexpected(operator, 'an operator');
    return { kind: 'compare', field, operator: operator.text, values: [value()] };
  };
  const negation = (): Condition => {
    if (takeWord('not')) return { kind: 'not', part: negation() };
    if (!takeSymbol('(')) return compare();
    const inner = disjunction();
    expectSymbol(')');
    return inner;
  };
  const conjunction = (): Condition => {
    const parts = [negation()];
    while (takeWord('and')) parts.push(negation());
    return joined('and', parts);
  };
  const disjunction = (): Condition => {
    const parts = [conjunction()];
    while (takeWord('or')) parts.push(conjunction());
    return joined('or', parts);
  };
  const order = (): OrderTerm[] => {
    const terms: OrderTerm[] = [];
    do {
      const field = value().toLowerCase();
      const descending = takeWord('desc');
      if (!descending) takeWord('asc');
      terms.push({ field, descending });
    } while (takeSymbol(','));
    if (terms.length > MAX_ORDER_TERMS)
      throw new JqlError(`The ORDER BY clause has more than ${MAX_ORDER_TERMS} fields.`);
    return terms;
  };

  const where = peek().kind === 'end' || isWord('order') ? undefined : disjunction();
  let orderBy: readonly OrderTerm[] = [];
  if (takeWord('order')) {
    if (!takeWord('by')) throw unexpected(peek(), "'by'");
    orderBy = order();
  }
  if (peek().kind !== 'end') throw unexpected(peek(), "'OR' or 'AND'");
  return { where, orderBy };
}

const isComparison = (text: string): text is '=' | '!=' | '>' | '>=' | '<' | '<=' =>
  ['=', '!=', '>', '>=', '<', '<='].includes(text);

function joined(kind: 'and' | 'or', parts: readonly Condition[]): Condition {
  const [only] = parts;
  return parts.length === 1 && only !== undefined ? only : { kind, parts };
}

const endOf = (text: string): Token => ({ kind: 'end', text: '', at: text.length + 1 });

function unexpected(token: Token, wanted: string): JqlError {
  const got = token.kind === 'end' ? 'the end of the query' : `'${token.text}'`;
  return mistake(`Expecting ${wanted} but got ${got}.`, token);
}

function mistake(text: string, token: Token): JqlError {
  return new JqlError(`Error in the JQL Query: ${text} (line 1, character ${token.at})`);
}
