/**
 * The Markdown that we write ourselves, read again by platforms that have another language for comments: paragraphs, fenced
 * blocks, `code`, **bold**, [links](https://x.org) and <https://x.org>. All else is plain text.
 */

export interface Span {
  readonly style: 'plain' | 'strong' | 'code' | 'link';
  readonly text: string;
  /** Of a link. */
  readonly href?: string;
}

export type Block =
  | { readonly kind: 'prose'; readonly spans: readonly Span[] }
  | { readonly kind: 'code'; readonly code: string };

/** A fence ends with as many ticks as it began with, or more: fewer are a part of what it holds. */
const FENCE = /^(`{3,})[^`\n]*\n(?:([\s\S]*?)\n)??\1`*[ \t]*$/gm;
const SPAN =
  /`(?<code>[^`\n]+)`|\*\*(?<strong>[^*\n]+)\*\*|\[(?<text>[^\]\n]+)\]\((?<href>https?:\/\/[^)\s]+)\)|<(?<address>https?:\/\/[^<>\s]+)>/g;

export function parseMarkdown(markdown: string): Block[] {
  const blocks: Block[] = [];
  let end = 0;
  for (const fence of markdown.matchAll(FENCE)) {
    blocks.push(...prose(markdown.slice(end, fence.index)), { kind: 'code', code: fence[2] ?? '' });
    end = fence.index + fence[0].length;
  }
  return [...blocks, ...prose(markdown.slice(end))];
}

function prose(text: string): Block[] {
  return text
    .split(/\n{2,}/)
    .map((paragraph) => paragraph.trim())
    .filter((paragraph) => paragraph !== '')
    .map((paragraph) => ({ kind: 'prose', spans: spansOf(paragraph) }));
}

function spansOf(paragraph: string): Span[] {
  const spans: Span[] = [];
  let end = 0;
  const plain = (until: number): void => {
    if (until > end) spans.push({ style: 'plain', text: paragraph.slice(end, until) });
  };
  for (const match of paragraph.matchAll(SPAN)) {
    const { code, strong, text, href, address } = match.groups ?? {};
    plain(match.index);
    if (code !== undefined) spans.push({ style: 'code', text: code });
    if (strong !== undefined) spans.push({ style: 'strong', text: strong });
    if (text !== undefined && href !== undefined) spans.push({ style: 'link', text, href });
    if (address !== undefined) spans.push({ style: 'link', text: address, href: address });
    end = match.index + match[0].length;
  }
  plain(paragraph.length);
  return spans;
}
