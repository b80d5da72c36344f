/**
 * Comments as the platforms read them, by the rules of their languages and not by our own parser: what is left outside of
 * quotations, where mentions, commands and markup mean something, and which links there are.
 */

export interface ReadComment {
  /** Text that is not quoted, links taken out. */
  readonly open: string;
  readonly links: readonly string[];
}

const ADDRESS = /<(https?:\/\/[^\s<>]*)>/g;

/** GitHub and GitLab: fences and code spans as CommonMark has them. */
export function readMarkdown(body: string): ReadComment {
  const open = withoutCodeSpans(outsideFences(body));
  return { open: open.replace(ADDRESS, ''), links: [...open.matchAll(ADDRESS)].map(([, url = '']) => url) };
}

function outsideFences(body: string): string {
  const lines: string[] = [];
  let fence: string | undefined;
  for (const line of body.split(/\r\n|\r|\n/)) {
    const [, ticks = '', after = ''] = /^ {0,3}(`{3,}|~{3,})(.*)$/.exec(line) ?? [];
    if (fence === undefined) {
      if (ticks === '' || (ticks.startsWith('`') && after.includes('`'))) lines.push(line);
      else fence = ticks;
    } else if (ticks.startsWith(fence) && after.trim() === '') fence = undefined;
  }
  return lines.join('\n');
}

/** A span ends at the next run of as many ticks; where there is none, the ticks are text. */
function withoutCodeSpans(text: string): string {
  const runs = /`+/g;
  let [open, from] = ['', 0];
  for (let start = runs.exec(text); start !== null; start = runs.exec(text)) {
    const [ticks] = start;
    let end = runs.exec(text);
    while (end !== null && end[0] !== ticks) end = runs.exec(text);
    if (end === null) {
      runs.lastIndex = start.index + ticks.length;
    } else {
      open += text.slice(from, start.index);
      from = end.index + ticks.length;
      runs.lastIndex = from;
    }
  }
  return open + text.slice(from);
}

/** Lines that older versions of GitLab obey: outside of what they take for a block of code, which is three ticks. */
export function commandsIn(body: string): string[] {
  return body
    .replaceAll(/^```[\s\S]+?\n```$/gm, '')
    .split('\n')
    .filter((line) => /^\/\w/.test(line));
}

const TAGS = new Set(['<div>', '<b>', '<br>', '<code>', '<pre>', '<small>']);

/** Azure DevOps. Throws at a tag that we do not write. */
export function readHtml(html: string): ReadComment {
  const links: string[] = [];
  for (const [tag] of html.matchAll(/<[^>]*>?/g)) {
    const [, href] = /^<a href="(https?:\/\/[^"<>\s]*)">$/.exec(tag) ?? [];
    if (href !== undefined) links.push(href.replaceAll('&amp;', '&'));
    else if (!TAGS.has(tag.replace('</', '<')) && tag !== '</a>') throw new Error(`a tag of somebody else: ${tag}`);
  }
  const open = html.replaceAll(/<(pre|code|a)\b[\s\S]*?<\/\1>/g, '');
  return { open: open.replaceAll(/<[^>]*>/g, ''), links };
}

interface Node {
  readonly type: string;
  readonly text?: string | undefined;
  readonly content?: readonly Node[] | undefined;
  readonly marks?:
    | readonly { readonly type: string; readonly attrs?: Readonly<Record<string, unknown>> | undefined }[]
    | undefined;
}

/** Jira Cloud. Throws at a node that we do not write. */
export function readDocument(node: Node): ReadComment {
  const { type, text = '', content = [], marks = [] } = node;
  if (!['doc', 'paragraph', 'text', 'hardBreak', 'codeBlock'].includes(type)) throw new Error(`a node ${type}`);
  const links = marks.flatMap(({ attrs }) => (typeof attrs?.href === 'string' ? [attrs.href] : []));
  const isQuoted = type === 'codeBlock' || marks.some((mark) => mark.type === 'code' || mark.type === 'link');
  const parts = type === 'codeBlock' ? [] : content.map(readDocument);
  const open = [isQuoted ? '' : text, ...parts.map((part) => part.open)].join('');
  return { open, links: [...links, ...parts.flatMap((part) => part.links)] };
}

/** Jira Data Center: a backslash takes the meaning of what follows it, but not in a block, where nothing has one. */
export function readWiki(markup: string): ReadComment {
  const blocks = markup.split('{noformat}');
  if (blocks.length % 2 === 0) throw new Error('a block without an end');
  // Mentions are found in the markup itself, whatever is around them.
  const mentioned = /\[[~@][^\\,\u200B]+?\]/.exec(markup);
  if (mentioned !== null) throw new Error(`a mention: ${mentioned[0]}`);
  const prose = blocks.filter((_, index) => index % 2 === 0).join('\n');
  const links = [...prose.matchAll(/(?<!\\)\[(https?:[^\]|]*)\]/g)].map(([, href = '']) => href);
  const open = prose.replaceAll(/(?<!\\)\[https?:[^\]|]*\]/g, '').replaceAll(/\{\{[\s\S]*?(?<!\\)\}\}/g, '');
  return { open, links };
}
