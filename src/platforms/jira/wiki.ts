/** Our comments in the wiki markup of Jira Data Center. */
import { unreachable } from '../../foundation/errors.ts';
import { parseMarkdown, type Span } from './markdown.ts';

/** A comment that ends with `marker` as a paragraph of its own. */
export function wikiOf(markdown: string, marker: string): string {
  const blocks = parseMarkdown(markdown).map((block) => {
    if (block.kind === 'prose') return block.spans.map(wikiSpan).join('');
    // The only words that end it; an invisible space takes their meaning.
    return `{noformat}\n${block.code.replaceAll('{noformat', '{\u200Bnoformat')}\n{noformat}`;
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
