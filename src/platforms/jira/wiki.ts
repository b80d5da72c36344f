/** Our comments in the wiki markup of Jira Data Center. */
import { unreachable } from '../../foundation/errors.ts';
import { parseMarkdown, type Span } from '../comment-markdown.ts';

/**
 * The beginnings of what means something even there: the words that end the block, and mentions, which Jira looks for in
 * the text as it was sent. An invisible space behind them takes their meaning.
 */
const LIVE_IN_CODE = /\{(?=noformat)|\[(?=[~@])/g;

/** A comment that ends with `marker` as a paragraph of its own. */
export function wikiOf(markdown: string, marker: string): string {
  const blocks = parseMarkdown(markdown).map((block) => {
    if (block.kind === 'prose') return block.spans.map(wikiSpan).join('');
    return `{noformat}\n${block.code.replace(LIVE_IN_CODE, '$&\u200B')}\n{noformat}`;
  });
  return [...blocks, marker].join('\n\n');
}

function wikiSpan({ style, text, href = '' }: Span): string {
  switch (style) {
    case 'plain':
      return escaped(text);
    case 'strong':
      return `*${escaped(text)}*`;
    case 'code':
      return `{{${escaped(text)}}}`;
    case 'link':
      return text === href ? `[${address(href)}]` : `[${escaped(text)}|${address(href)}]`;
    default:
      return unreachable(style);
  }
}

/** A link in which no character means anything to Jira: it would end there, and the rest of it be markup. */
const address = (href: string): string => href.replace(/[[\]{}|\\^]/g, (character) => `%${hex(character)}`);

const hex = (character: string): string => character.charCodeAt(0).toString(16).toUpperCase();

/** What would begin markup in the middle of a text; a backslash has no escape of its own, two of them are a line break. */
const escaped = (text: string): string =>
  text.replace(/[\\{}[\]*_^~+!|]/g, (character) => (character === '\\' ? '&#92;' : `\\${character}`));
