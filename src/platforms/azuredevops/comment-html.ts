/**
 * Comments of work items are HTML, cleaned by the server: comments in it and most attributes are dropped, text stays. So
 * our Markdown is written as escaped text with a few plain tags, and the marker as words at its end.
 */
import { unreachable } from '../../foundation/errors.ts';
import { parseMarkdown, type Span } from '../comment-markdown.ts';
import { endsWithMarker, isOwnCommentInWords, wordsOf } from '../comment-marker.ts';

/** Fenced blocks, `code`, **bold**, links and line breaks; everything else is text, whatever it looks like. */
export function commentHtml(markdown: string, marker: string): string {
  const parts = parseMarkdown(markdown).map((block, index, blocks) => {
    if (block.kind === 'code') return `<pre><code>${escaped(block.code)}</code></pre>`;
    const between = blocks[index - 1]?.kind === 'prose' ? '<br><br>' : '';
    return between + block.spans.map(spanHtml).join('');
  });
  return `<div>${parts.join('')}</div><div><small>${escaped(wordsOf(marker))}</small></div>`;
}

/** Whether a comment ends with the marker. */
export function htmlEndsWithMarker(html: string, marker: string): boolean {
  return endsWithMarker(textOf(html), wordsOf(marker));
}

/** Whether a comment ends with the marker of any run. */
export function isOwnCommentHtml(html: string): boolean {
  return isOwnCommentInWords(textOf(html.slice(-LONGEST_END)));
}

/** More than a marker with the tags around it takes: comments can be long, and this reads what strangers write. */
const LONGEST_END = 500;

function spanHtml({ style, text, href = '' }: Span): string {
  const html = escaped(text).replaceAll('\n', '<br>');
  switch (style) {
    case 'plain':
      return html;
    case 'strong':
      return `<b>${html}</b>`;
    case 'code':
      return `<code>${html}</code>`;
    case 'link':
      return `<a href="${escaped(href)}">${html}</a>`;
    default:
      return unreachable(style);
  }
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
/** A rich-text editor may leave one at the end. */
const CHARACTERS = new Map([
  ['&nbsp;', ' '],
  ...Object.entries(ENTITIES).map(([to, from]): [string, string] => [from, to]),
]);

const escaped = (text: string): string => text.replace(/[&<>"]/g, (character) => ENTITIES[character] ?? '');

/** The text of a comment as far as finding the marker needs it. */
function textOf(html: string): string {
  return html
    .replace(/<[^>]*>/g, '')
    .replace(/&(?:amp|lt|gt|quot|nbsp);/g, (entity) => CHARACTERS.get(entity) ?? entity)
    .trim();
}
