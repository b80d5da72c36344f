import { expect, test } from 'vitest';
import { commentHtml, htmlEndsWithMarker } from '../../../src/platforms/azuredevops/comment-html.ts';

const MARKER = '<!-- agent-smith run=01J -->';

test('Markdown becomes a few plain tags, and the marker words that the server keeps', () => {
  expect(commentHtml('**Agent Smith**: `fix-bug` is done.\nBye.', MARKER)).toBe(
    '<div><b>Agent Smith</b>: <code>fix-bug</code> is done.<br>Bye.</div><div><small>agent-smith run=01J</small></div>',
  );
});

test('whatever looks like HTML is text, fenced or not', () => {
  const html = commentHtml('<b onclick="x">&amp;\n\n```text\n</code></pre><img src=x> `a` **b**\n```\n<i>', MARKER);
  expect(html).toBe(
    '<div>&lt;b onclick=&quot;x&quot;&gt;&amp;amp;<pre><code>&lt;/code&gt;&lt;/pre&gt;&lt;img src=x&gt; `a` **b**</code></pre>' +
      '&lt;i&gt;</div><div><small>agent-smith run=01J</small></div>',
  );
});

test('a block of many lines is shown with all of them, and a link as a link', () => {
  expect(commentHtml('It says:\n\n```\none\n\ntwo\n```\n\n- `Log` <https://ci.corp/?a="&b>', MARKER)).toBe(
    '<div>It says:<pre><code>one\n\ntwo</code></pre>- <code>Log</code> ' +
      '<a href="https://ci.corp/?a=&quot;&amp;b">https://ci.corp/?a=&quot;&amp;b</a></div>' +
      '<div><small>agent-smith run=01J</small></div>',
  );
});

test('a fence ends only at one that is as long', () => {
  const html = commentHtml('````\n```\nno end\n```\n````', MARKER);
  expect(html).toContain('<pre><code>```\nno end\n```</code></pre>');
});

test('a comment is ours when the marker is its end, however it was written', () => {
  expect(htmlEndsWithMarker(commentHtml('text', MARKER), MARKER)).toBe(true);
  expect(htmlEndsWithMarker('<p>agent-smith run=01J </p>\n', MARKER)).toBe(true);
  expect(htmlEndsWithMarker('<p>agent-smith run=01J&nbsp;</p>', MARKER)).toBe(true);
  expect(htmlEndsWithMarker('<p>agent-smith run=01J, it said</p>', MARKER)).toBe(false);
  expect(htmlEndsWithMarker(commentHtml('agent-smith run=01J', '<!-- other -->'), MARKER)).toBe(false);
  expect(htmlEndsWithMarker(commentHtml('text', '<!-- a<b&c -->'), '<!-- a<b&c -->')).toBe(true);
});
