/**
 * The query language of Azure DevOps, as much of it as matters: `SELECT .. FROM WorkItems WHERE .. ORDER BY ..` with AND,
 * OR, NOT and parentheses over a few fields. As on the real one AND binds tighter than OR, a quote inside a text is
 * doubled, and what is selected does not matter. Whatever is not understood is refused, never guessed.
 */

/** A query that is not valid, in the words of the reply. */
export class WiqlError extends Error {}

/** What a condition may ask of a work item. */
export interface Queried {
  readonly id: number;
  readonly fields: Readonly<Record<string, string>>;
  readonly tags: readonly string[];
}

export interface Query {
  matches(item: Queried): boolean;
  compare(one: Queried, other: Queried): number;
}

interface Token {
  readonly kind: 'field' | 'text' | 'number' | 'macro' | 'word' | 'symbol' | 'end';
  readonly text: string;
}

type Condition = (item: Queried) => boolean;

const TOKEN =
  /\s*(?:\[(?<field>[^\]]+)\]|'(?<single>(?:[^']|'')*)'|"(?<double>(?:[^"]|"")*)"|(?<number>\d+)|@(?<macro>\w+)|(?<word>[A-Za-z][\w.]*)|(?<symbol><>|<=|>=|[=<>(),]))/y;

const FIELDS = ['Id', 'Tags', 'State', 'TeamProject', 'Title', 'WorkItemType', 'AreaPath', 'Description'];
const FIELD_NAMES = new Map(FIELDS.map((name) => [`system.${name}`.toLowerCase(), `System.${name}`]));

/**
 * @param project what `@project` stands for: the one in the route
 * @throws WiqlError
 */
export function parseWiql(text: string, project: string | undefined): Query {
  const tokens = tokenize(text);
  let at = 0;

  const peek = (): Token => tokens[at] ?? { kind: 'end', text: '' };
  const take = (): Token => {
    const token = peek();
    at += 1;
    return token;
  };
  const isWord = (word: string): boolean => peek().kind === 'word' && peek().text.toUpperCase() === word;
  const skipWord = (word: string): boolean => {
    if (!isWord(word)) return false;
    at += 1;
    return true;
  };
  const skipSymbol = (symbol: string): boolean => {
    if (peek().kind !== 'symbol' || peek().text !== symbol) return false;
    at += 1;
    return true;
  };
  const fail = (expected: string): never => {
    const found = peek().kind === 'end' ? 'the end' : `'${peek().text}'`;
    throw new WiqlError(`Expecting ${expected}. The error is caused by «${found}».`);
  };
  const expectWord = (word: string): void => {
    if (!skipWord(word)) fail(word);
  };
  const expectSymbol = (symbol: string): void => {
    if (!skipSymbol(symbol)) fail(symbol);
  };
  const listOf = <T>(item: () => T): T[] => {
    const items = [item()];
    while (skipSymbol(',')) items.push(item());
    return items;
  };

  const field = (): string => {
    const token = take();
    if (token.kind !== 'field' && token.kind !== 'word') throw new WiqlError(`Expecting a field name.`);
    const known = FIELD_NAMES.get(token.text.toLowerCase());
    if (known === undefined)
      throw new WiqlError(`TF51005: The query references a field that does not exist: ${token.text}.`);
    return known;
  };
  const value = (): string => {
    const { kind, text: written } = take();
    if (kind === 'text' || kind === 'number') return written;
    if (kind !== 'macro') throw new WiqlError(`Expecting a value. The error is caused by «${written}».`);
    if (written.toLowerCase() !== 'project') throw new WiqlError(`The emulator does not know the macro @${written}.`);
    if (project === undefined) throw new WiqlError('@project needs a project in the address.');
    return project;
  };

  const comparison = (): Condition => {
    const name = field();
    const negated = skipWord('NOT');
    const positive = operation(name);
    return negated ? (item) => !positive(item) : positive;
  };
  const operation = (name: string): Condition => {
    if (skipWord('IN')) {
      expectSymbol('(');
      const values = listOf(value).map((each) => comparable(name, each));
      expectSymbol(')');
      return (item) => values.includes(valueOf(name, item));
    }
    if (skipWord('CONTAINS')) {
      const wanted = value().toLowerCase();
      // Not known of the real one whether it finds parts of a tag. Here it does: whoever asks has to look again.
      if (name === 'System.Tags') return (item) => item.tags.some((tag) => tag.toLowerCase().includes(wanted));
      return (item) => String(valueOf(name, item)).includes(wanted);
    }
    if (name === 'System.Tags') return fail('CONTAINS, the one operator for tags');
    const { kind, text: operator } = take();
    const test = kind === 'symbol' ? COMPARISONS[operator] : undefined;
    if (test === undefined) throw new WiqlError(`Expecting an operator. The error is caused by «${operator}».`);
    const wanted = comparable(name, value());
    return (item) => test(valueOf(name, item), wanted);
  };
  const factor = (): Condition => {
    if (skipWord('NOT')) {
      const inner = factor();
      return (item) => !inner(item);
    }
    if (!skipSymbol('(')) return comparison();
    const inner = either();
    expectSymbol(')');
    return inner;
  };
  const both = (): Condition => {
    const all = [factor()];
    while (skipWord('AND')) all.push(factor());
    return (item) => all.every((one) => one(item));
  };
  const either = (): Condition => {
    const any = [both()];
    while (skipWord('OR')) any.push(both());
    return (item) => any.some((one) => one(item));
  };
  const ordering = (): Query['compare'] => {
    const name = field();
    const sign = skipWord('DESC') ? -1 : 1;
    if (sign === 1) skipWord('ASC');
    return (one, other) => sign * order(valueOf(name, one), valueOf(name, other));
  };

  expectWord('SELECT');
  listOf(field);
  expectWord('FROM');
  expectWord('WORKITEMS');
  const matches = skipWord('WHERE') ? either() : () => true;
  let orderings: Query['compare'][] = [];
  if (skipWord('ORDER')) {
    expectWord('BY');
    orderings = listOf(ordering);
  }
  if (peek().kind !== 'end') fail('the end of the query');
  return {
    matches,
    compare: (one, other) =>
      orderings.map((compare) => compare(one, other)).find((sign) => sign !== 0) ?? one.id - other.id,
  };
}

type Value = string | number;

const COMPARISONS: Readonly<Record<string, (one: Value, other: Value) => boolean>> = {
  '=': (one, other) => one === other,
  '<>': (one, other) => one !== other,
  '<': (one, other) => one < other,
  '<=': (one, other) => one <= other,
  '>': (one, other) => one > other,
  '>=': (one, other) => one >= other,
};

/** Texts are compared without regard to letter case. */
function comparable(name: string, written: string): Value {
  if (name !== 'System.Id') return written.toLowerCase();
  if (!/^\d+$/.test(written)) throw new WiqlError(`'${written}' is not a number.`);
  return Number(written);
}

function valueOf(name: string, item: Queried): Value {
  return name === 'System.Id' ? item.id : (item.fields[name] ?? '').toLowerCase();
}

function order(one: Value, other: Value): number {
  if (one === other) return 0;
  return one < other ? -1 : 1;
}

function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  const end = text.trimEnd().length;
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < end) {
    const begin = TOKEN.lastIndex;
    const groups = TOKEN.exec(text)?.groups;
    if (groups === undefined) throw new WiqlError(`The error is caused by «${text.slice(begin, begin + 20).trim()}».`);
    tokens.push(tokenOf(groups));
  }
  return tokens;
}

function tokenOf({ field, single, double, number, macro, word, symbol }: Record<string, string | undefined>): Token {
  if (field !== undefined) return { kind: 'field', text: field.trim() };
  if (single !== undefined) return { kind: 'text', text: single.replaceAll("''", "'") };
  if (double !== undefined) return { kind: 'text', text: double.replaceAll('""', '"') };
  if (number !== undefined) return { kind: 'number', text: number };
  if (macro !== undefined) return { kind: 'macro', text: macro };
  if (word !== undefined) return { kind: 'word', text: word };
  return { kind: 'symbol', text: symbol ?? '' };
}
