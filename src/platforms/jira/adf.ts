/**
 * The Atlassian Document Format of Jira Cloud: read as Markdown, which is what runners expect of a body, and written from
 * the little Markdown of our comments.
 */
import { z } from 'zod';
import { parseMarkdown, type Span } from '../comment-markdown.ts';
import { fencedCode } from '../quoting.ts';

export interface AdfNode {
  readonly type: string;
  readonly text?: string | undefined;
  readonly content?: readonly AdfNode[] | undefined;
  readonly marks?: readonly AdfMark[] | undefined;
  readonly attrs?: Readonly<Record<string, unknown>> | undefined;
}

interface AdfMark {
  readonly type: string;
  readonly attrs?: Readonly<Record<string, unknown>> | undefined;
}

const attributes = z.record(z.string(), z.unknown()).optional();

/** A node of any type, known or not: Atlassian adds new ones. */
export const adfNode: z.ZodType<AdfNode> = z.lazy(() =>
  z.object({
    type: z.string(),
    text: z.string().optional(),
    content: z.array(adfNode).optional(),
    marks: z.array(z.object({ type: z.string(), attrs: attributes })).optional(),
    attrs: attributes,
  }),
);

/** Nothing that is text gets lost: a node that is not known is read as what is in it. */
export function adfToMarkdown(node: AdfNode): string {
  const { content = [], attrs = {} } = node;
  const inline = (): string => content.map(adfToMarkdown).join('');
  const blocks = (between = '\n\n'): string =>
    content
      .map(adfToMarkdown)
      .filter((block) => block !== '')
      .join(between);
  switch (node.type) {
    case 'text':
      return (node.marks ?? []).reduce(marked, node.text ?? '');
    case 'hardBreak':
      return '\n';
    case 'mention':
    case 'status':
      return textIn(attrs.text);
    case 'emoji':
      return textIn(attrs.text) || textIn(attrs.shortName);
    case 'inlineCard':
    case 'blockCard':
    case 'embedCard':
      return textIn(attrs.url);
    case 'media':
      return textIn(attrs.alt);
    case 'paragraph':
    case 'caption':
    case 'taskItem':
    case 'decisionItem':
      return inline();
    case 'heading':
      return `${'#'.repeat(typeof attrs.level === 'number' ? attrs.level : 1)} ${inline()}`;
    case 'codeBlock':
      return fencedCode(inline(), textIn(attrs.language));
    case 'rule':
      return '---';
    case 'blockquote':
      return indented(blocks(), '> ', '> ');
    case 'bulletList':
    case 'taskList':
    case 'decisionList':
      return content.map((item) => indented(adfToMarkdown(item), '- ', '  ')).join('\n');
    case 'orderedList':
      return content.map((item, index) => indented(adfToMarkdown(item), `${index + 1}. `, '   ')).join('\n');
    case 'table':
      return blocks('\n');
    case 'tableRow':
      return `| ${content.map((cell) => adfToMarkdown(cell).replaceAll('\n', ' ')).join(' | ')} |`;
    default:
      return blocks();
  }
}

function marked(text: string, { type, attrs = {} }: AdfMark): string {
  switch (type) {
    case 'code':
      return `\`${text}\``;
    case 'strong':
      return `**${text}**`;
    case 'em':
      return `*${text}*`;
    case 'strike':
      return `~~${text}~~`;
    case 'link':
      return textIn(attrs.href) === text ? text : `[${text}](${textIn(attrs.href)})`;
    default:
      return text;
  }
}

const textIn = (value: unknown): string => (typeof value === 'string' ? value : '');

function indented(text: string, first: string, others: string): string {
  return text
    .split('\n')
    .map((line, index) => `${index === 0 ? first : others}${line}`.trimEnd())
    .join('\n');
}

/** A document that ends with `marker` as a paragraph of its own. */
export function adfOf(
  markdown: string,
  marker: string,
): AdfNode & { readonly version: 1; readonly content: AdfNode[] } {
  const blocks = parseMarkdown(markdown).map((block): AdfNode => {
    if (block.kind === 'prose') return { type: 'paragraph', content: block.spans.flatMap(adfSpans) };
    return { type: 'codeBlock', ...(block.code === '' ? {} : { content: [{ type: 'text', text: block.code }] }) };
  });
  return {
    type: 'doc',
    version: 1,
    content: [...blocks, { type: 'paragraph', content: [{ type: 'text', text: marker }] }],
  };
}

/** A line break is a node of its own, and a text is never empty. */
function adfSpans({ style, text, href }: Span): AdfNode[] {
  const marks = style === 'plain' ? [] : [style === 'link' ? { type: 'link', attrs: { href } } : { type: style }];
  return text
    .split('\n')
    .flatMap((line, index): AdfNode[] => [
      ...(index === 0 ? [] : [{ type: 'hardBreak' }]),
      ...(line === '' ? [] : [{ type: 'text', text: line, ...(marks.length === 0 ? {} : { marks }) }]),
    ]);
}
