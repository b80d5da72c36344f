/** Our comments in the wiki markup of Jira Data Center. */
import { unreachable } from '../../foundation/errors.ts';
import { parseMarkdown, type Span } from './markdown.ts';

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
      return `[${escaped(text)}|${href}]`;
    default:
      return unreachable(style);
  }
}

/** What would begin markup in the middle of a text. */
const escaped = (text: string): string => text.replace(/[\\{}[\]*_^~+!|]/g, '\\$&');
