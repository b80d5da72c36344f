/** From the text of a query to its words, strings and symbols, with Jira's rules for quoting and escaping. */

/** A mistake in a query, in words for people. */
export class JqlError extends Error {
  constructor(text: string) {
    super(text);
    this.name = 'JqlError';
  }
}

export interface Token {
  readonly kind: 'word' | 'string' | 'symbol' | 'end';
  readonly text: string;
  /** Where it begins, from 1. */
  readonly at: number;
}

const SYMBOL = /!=|>=|<=|[=<>(),]/y;
const WORD = /[^\s!=<>(),"'\\.;?|*/%^$#@[\]{}~&+]+/y;
const SPACE = /\s+/y;
const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', ' ': ' ' };

/** @throws JqlError */
export function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  let index = 0;
  while (index < text.length) {
    const space = matchAt(SPACE, text, index);
    if (space !== undefined) {
      index += space.length;
      continue;
    }
    const quote = text.charAt(index);
    if (quote === '"' || quote === "'") {
      const { value, end } = readString(text, index);
      tokens.push({ kind: 'string', text: value, at: index + 1 });
      index = end;
      continue;
    }
    const symbol = matchAt(SYMBOL, text, index);
    const word = symbol ?? matchAt(WORD, text, index);
    if (word === undefined) {
      const name = `\\u${quote.charCodeAt(0).toString(16).padStart(4, '0')}`;
      throw new JqlError(
        `Error in the JQL Query: The character '${quote}' is a reserved JQL character. You must enclose it in a string or use the escape '${name}' instead. (line 1, character ${index + 1})`,
      );
    }
    tokens.push({ kind: symbol === undefined ? 'word' : 'symbol', text: word, at: index + 1 });
    index += word.length;
  }
  return tokens;
}

function readString(text: string, from: number): { readonly value: string; readonly end: number } {
  const quote = text.charAt(from);
  let value = '';
  for (let index = from + 1; index < text.length; index += 1) {
    const char = text.charAt(index);
    if (char === quote) return { value, end: index + 1 };
    if (char !== '\\') {
      value += char;
      continue;
    }
    index += 1;
    const escaped = text.charAt(index);
    const unicode = escaped === 'u' ? /^[\da-f]{4}/i.exec(text.slice(index + 1))?.[0] : undefined;
    if (unicode !== undefined) {
      value += String.fromCharCode(Number.parseInt(unicode, 16));
      index += 4;
    } else if ('"\'\\'.includes(escaped) && escaped !== '') value += escaped;
    else {
      const plain = ESCAPES[escaped];
      if (plain === undefined) {
        throw new JqlError(
          `Error in the JQL Query: '\\${escaped}' is an illegal JQL escape sequence. The valid escape sequences are \\', \\", \\t, \\n, \\r, \\\\, '\\ ' and \\uXXXX. (line 1, character ${index})`,
        );
      }
      value += plain;
    }
  }
  throw new JqlError(
    `Error in the JQL Query: The quoted string '${text.slice(from + 1)}' has not been completed. (line 1, character ${from + 1})`,
  );
}

function matchAt(pattern: RegExp, text: string, index: number): string | undefined {
  pattern.lastIndex = index;
  return pattern.exec(text)?.[0];
}
