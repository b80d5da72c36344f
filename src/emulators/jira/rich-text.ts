/**
 * Text as Jira keeps it: on Cloud a document in the Atlassian Document Format, on Data Center a string in wiki markup.
 * People write plain text here; what they see of a document is its text.
 */

/** A node of a document; `content` are its children. */
export interface DocumentNode {
  readonly type: string;
  readonly text?: string | undefined;
  readonly content?: readonly DocumentNode[] | undefined;
}

export type RichText = string | DocumentNode;

const INLINE_PARENTS = new Set(['paragraph', 'heading', 'codeBlock']);

/** A document whose paragraphs are those of the text. */
export function documentOf(text: string): DocumentNode & { readonly version: 1 } {
  const paragraphs = text.split('\n\n').map((paragraph) => ({
    type: 'paragraph',
    content: paragraph === '' ? [] : [{ type: 'text', text: paragraph }],
  }));
  return { type: 'doc', version: 1, content: paragraphs };
}

/** What people read: blocks apart by an empty line. */
export function textOf(body: RichText): string {
  if (typeof body === 'string') return body;
  if (body.text !== undefined) return body.text;
  const between = INLINE_PARENTS.has(body.type) ? '' : '\n\n';
  return (body.content ?? []).map(textOf).join(between);
}
