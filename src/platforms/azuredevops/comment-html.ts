/**
 * Comments of work items are HTML, cleaned by the server: comments in it and most attributes are dropped, text stays. So
 * our Markdown is written as escaped text with a few plain tags, and the marker as words at its end.
 */
import { endsWithMarker, isOwnCommentInWords, wordsOf } from '../comment-marker.ts';

const FENCE = /^(`{3,})[^`]*\n([\s\S]*?)\n\1`*[ \t]*$/gm;

/** Fenced blocks, `code`, **bold** and line breaks; everything else is text, whatever it looks like. */
export function commentHtml(markdown: string, marker: string): string {
  const parts: string[] = [];
  let end = 0;
  for (const fence of markdown.matchAll(FENCE)) {
    parts.push(proseHtml(markdown.slice(end, fence.index)), `<pre><code>${escaped(fence[2] ?? '')}</code></pre>`);
    end = fence.index + fence[0].length;
  }
  parts.push(proseHtml(markdown.slice(end)));
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

function proseHtml(markdown: string): string {
  return escaped(markdown.trim())
    .replace(/`([^`\n]+)`/g, '<code>$1</code>')
    .replace(/\*\*([^*\n]+)\*\*/g, '<b>$1</b>')
    .replaceAll('\n', '<br>');
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
