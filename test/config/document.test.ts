import { expect, test } from 'vitest';
import { type ConfigDocument, readDocument } from '../../src/config/document.ts';

function read(text: string): ConfigDocument {
  const result = readDocument(text);
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  return result.document;
}

function problems(text: string): string[] {
  const result = readDocument(text);
  return result.ok ? [] : result.problems.map(({ line, column, message }) => `${line}:${column} ${message}`);
}

test('keys keep the order and the spelling of the file, numbers included', () => {
  const document = read('map:\n  b: 1\n  10: 2\n  007: 3\n  1.0: 4\n  a: 5\n  2: 6\n');
  expect(document.keysAt(['map'])).toEqual(['b', '10', '007', '1.0', 'a', '2']);
});

test('every key and every list item knows its place, and what is missing has the place of what encloses it', () => {
  const document = read('a:\n  b:\n    - one\n    - two\n');
  expect(document.positionOf(['a', 'b'])).toEqual({ line: 2, column: 3 });
  expect(document.positionOf(['a', 'b', 1])).toEqual({ line: 4, column: 7 });
  expect(document.positionOf(['a', 'c', 'd'])).toEqual({ line: 1, column: 1 });
  expect(document.positionOf(['z'])).toEqual({ line: 1, column: 1 });
});

test('aliases stand for what they name', () => {
  expect(read('a: &x { k: 1 }\nb: *x\n').tree).toEqual({ a: { k: 1 }, b: { k: 1 } });
});

test('a key without a value is there and empty', () => {
  const { tree } = read('a:\nb: ~\n');
  expect(Object.entries(tree as object)).toEqual([
    ['a', undefined],
    ['b', undefined],
  ]);
});

test.each([
  ['broken YAML', 'a: [1, 2\nb: 3\n', /^2:/],
  ['a key that is there twice', 'a: 1\nb: 2\na: 3\n', /^3:1 Map keys must be unique/],
  ['the same key once as number and once as text', 'a:\n  1: x\n  "1": y\n', /^3:3 the key is there twice/],
  ['an unknown tag', 'a: !secret x\n', /^1:4 Unresolved tag/],
  ['two documents', 'a: 1\n---\nb: 2\n', /^2:1 /],
  ['an alias to nothing', 'a: *x\n', /^1:4 /],
  ['an alias to itself', 'a: &x [*x]\n', /the alias refers to itself/],
  ['a mapping as key', '{a: 1}: 2\n', /this cannot be a key/],
  ['a key that objects treat in their own way', '__proto__: { a: 1 }\n', /this cannot be a key/],
  ['an empty file', '# nothing\n', /the file is empty/],
])('%s is a problem with its place', (_name, text, expected) => {
  expect(problems(text)[0]).toMatch(expected);
});

test('aliases that multiply are stopped', () => {
  const levels = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]'];
  for (let level = 1; level < 9; level += 1) {
    levels.push(
      `a${level}: &a${level} [${Array(10)
        .fill(`*a${level - 1}`)
        .join(', ')}]`,
    );
  }
  expect(problems(levels.join('\n'))).toEqual([expect.stringContaining('the file is too large')]);
});

test('a syntax error repeats nothing of the file, because a secret may stand there', () => {
  expect(problems('token: "ghp_verysecret\nb: 1\n').join()).not.toContain('ghp_');
});
