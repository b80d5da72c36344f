/**
 * How text that is not ours stands in a comment of ours (PROTOCOL 5): where a platform looks neither for mentions, nor for
 * commands, nor for markup. The result is Markdown that every platform's door understands (comment-markdown.ts).
 */
import { oneLine } from '../foundation/one-line.ts';

const MOST_ON_A_LINE = 300;

/**
 * A block that shows the text as it is, in a fence that it cannot end. A line that begins like a command or like a fence is
 * moved by a space: older versions of GitLab look for `/close` line by line, and take only three ticks for a fence.
 */
export function quotedBlock(text: string): string {
  return fencedCode(text.replaceAll(/\r\n?/g, '\n').replaceAll(/^(?=\/|`{3})/gm, ' '));
}

/** Code as it is, in a fence that it cannot end. */
export function fencedCode(code: string, language = ''): string {
  const longest = Math.max(2, ...[...code.matchAll(/`+/g)].map(([ticks]) => ticks.length));
  const fence = '`'.repeat(longest + 1);
  return `${fence}${language}\n${code}\n${fence}`;
}

/** A few words in the middle of a line: in one line, cut where it is long, with other quotation marks than our own. */
export function quotedWords(text: string): string {
  const line = oneLine(text, Number.POSITIVE_INFINITY).replaceAll('`', "'");
  const characters = Array.from(line);
  const shown = characters.length > MOST_ON_A_LINE ? `${characters.slice(0, MOST_ON_A_LINE).join('')}…` : line;
  return `\`${shown === '' ? '(nothing)' : shown}\``;
}

/** A link that shows where it leads. `url` is http or https as `URL` writes it. */
export function quotedLink(url: string): string {
  return `<${url.replaceAll(/[<>`\s]/g, encodeURIComponent)}>`;
}
