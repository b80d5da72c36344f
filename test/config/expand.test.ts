import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { expand } from '../../src/config/expand.ts';

const env = { NAME: 'value', EMPTY: '' };

test.each([
  ['${NAME}', 'value'],
  ['a-${NAME}-b-${NAME}', 'a-value-b-value'],
  ['${EMPTY}', ''],
  ['${NAME:-other}', 'value'],
  ['${MISSING:-other}', 'other'],
  ['${EMPTY:-other}', 'other'],
  ['${MISSING:-}', ''],
  ['${MISSING:-a:-b c}', 'a:-b c'],
  ['$${NAME}', '${NAME}'],
  ['$NAME $5 $$', '$NAME $5 $$'],
])('%s becomes "%s"', (text, expected) => {
  expect(expand({ a: [text] }, env)).toMatchObject({ tree: { a: [expected] }, problems: [] });
});

test.each(['${MISSING}', '${}', '${1X}', '${NAME', '${NAME-x}', '${a b}'])('%s is a problem at its path', (text) => {
  expect(expand({ a: [text] }, env).problems).toEqual([{ path: ['a', 0], message: expect.any(String) }]);
});

test('an unset variable is named, and no value of another one', () => {
  const { problems } = expand({ a: '${NAME}${MISSING}' }, env);
  expect(problems).toEqual([{ path: ['a'], message: 'the environment variable MISSING is not set' }]);
});

test('keys and what is no text stay as they are', () => {
  const tree = { '${NAME}': 1, b: true, c: undefined };
  expect(expand(tree, env).tree).toEqual(tree);
});

test('every use of a variable is remembered', () => {
  expect(expand({ a: { b: '${NAME}${MISSING:-x}' } }, env).uses).toEqual([
    { path: ['a', 'b'], variable: 'NAME' },
    { path: ['a', 'b'], variable: 'MISSING' },
  ]);
});

test('text without a reference is never changed, and what a variable holds is not expanded again', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (text, value) => {
      const plain = text.replaceAll('${', '');
      const { tree } = expand({ plain, value: '${V}' }, { V: value });
      expect(tree).toEqual({ plain, value });
    }),
  );
});
