import { expect, test } from 'vitest';
import { type AdfNode, adfOf, adfToMarkdown } from '../../../src/platforms/jira/adf.ts';
import { wikiOf } from '../../../src/platforms/jira/wiki.ts';

const MARKER = '<!-- agent-smith run=1 -->';
const OURS =
  '**Agent Smith**: `fix-bug` failed, see [the log](https://ci.corp/7).\nTwo lines.\n\n````\n```\nrm {noformat}\n````\n\nEnd *of* [it].';

const text = (words: string, ...marks: AdfNode['marks'] & object): AdfNode =>
  marks.length === 0 ? { type: 'text', text: words } : { type: 'text', text: words, marks };
const node = (type: string, ...content: AdfNode[]): AdfNode => ({ type, content });

test('our Markdown becomes a document that Jira takes: no empty text, breaks as nodes, code as it is', () => {
  expect(adfOf(OURS, MARKER)).toEqual({
    type: 'doc',
    version: 1,
    content: [
      node(
        'paragraph',
        text('Agent Smith', { type: 'strong' }),
        text(': '),
        text('fix-bug', { type: 'code' }),
        text(' failed, see '),
        text('the log', { type: 'link', attrs: { href: 'https://ci.corp/7' } }),
        text('.'),
        { type: 'hardBreak' },
        text('Two lines.'),
      ),
      node('codeBlock', text('```\nrm {noformat}')),
      node('paragraph', text('End *of* [it].')),
      node('paragraph', text(MARKER)),
    ],
  });
  expect(adfOf('```\n```', MARKER).content[0]).toEqual({ type: 'codeBlock' });
  expect(adfOf('', MARKER).content).toEqual([node('paragraph', text(MARKER))]);
});

test('our Markdown becomes wiki markup, in which nothing else is markup and no code ends its block', () => {
  expect(wikiOf(OURS, MARKER)).toBe(
    [
      '*Agent Smith*: {{fix-bug}} failed, see [the log|https://ci.corp/7].\nTwo lines.',
      '{noformat}\n```\nrm {\u200Bnoformat}\n{noformat}',
      'End \\*of\\* \\[it\\].',
      MARKER,
    ].join('\n\n'),
  );
});

test('Data Center: nobody is mentioned by a text, in code or not', () => {
  // How Jira finds mentions: in the markup itself, whatever is around them.
  const mentions = /\[[~@][^\\,]+?\]/;
  const named = '[~admin] [@admin] [~accountid:7]';
  expect(named).toMatch(mentions);
  expect(wikiOf(`${named} **${named}** \`${named}\`\n\n\`\`\`\n${named}\n\`\`\``, MARKER)).not.toMatch(mentions);
});

test('what we write is read back with the marker at its end', () => {
  expect(adfToMarkdown(adfOf(OURS, MARKER))).toBe(`${OURS}\n\n${MARKER}`);
});

test('a document is read as Markdown, and no text in it gets lost', () => {
  const item = (...content: AdfNode[]): AdfNode => node('listItem', ...content);
  const document = node(
    'doc',
    { ...node('heading', text('Steps')), attrs: { level: 3 } },
    node(
      'orderedList',
      item(node('paragraph', text('open'))),
      item(node('paragraph', text('see')), node('bulletList', item(node('paragraph', text('a'))))),
    ),
    node('taskList', node('taskItem', text('check'))),
    node(
      'blockquote',
      node(
        'paragraph',
        text('it '),
        text('fails', { type: 'em' }),
        { type: 'hardBreak' },
        text('often', { type: 'strike' }),
      ),
    ),
    { type: 'rule' },
    { ...node('codeBlock', text('let x = `1`')), attrs: { language: 'js' } },
    node(
      'table',
      node(
        'tableRow',
        node('tableHeader', node('paragraph', text('A'))),
        node('tableCell', node('paragraph', text('1')), node('paragraph', text('2'))),
      ),
    ),
    node(
      'panel',
      node('paragraph', { type: 'mention', attrs: { text: '@alice' } }, { type: 'emoji', attrs: { shortName: ':x:' } }),
    ),
    node('mediaSingle', { type: 'media', attrs: { alt: 'screenshot' } }),
    node(
      'paragraph',
      { type: 'inlineCard', attrs: { url: 'https://x.org' } },
      text('https://y.org', { type: 'link', attrs: { href: 'https://y.org' } }),
    ),
    node('newThing', node('paragraph', text('kept'))),
    node('paragraph'),
  );
  expect(adfToMarkdown(document)).toBe(
    [
      '### Steps',
      '1. open\n2. see\n\n   - a',
      '- check',
      '> it *fails*\n> ~~often~~',
      '---',
      '```js\nlet x = `1`\n```',
      '| A | 1  2 |',
      '@alice:x:',
      'screenshot',
      'https://x.orghttps://y.org',
      'kept',
    ].join('\n\n'),
  );
});
