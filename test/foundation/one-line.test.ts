/** Text of others in one line of ours: it reads as it is written, whatever it is made of. */
import { expect, test } from 'vitest';
import { withoutInvisible } from '../../src/foundation/invisible.ts';
import { oneLine } from '../../src/foundation/one-line.ts';
import { quotedWords } from '../../src/platforms/quoting.ts';

const SHOWN = [oneLine, quotedWords, withoutInvisible];
const shown = (text: string): string[] => SHOWN.map((show) => show(text));

test.for([
  [
    'marks that turn the direction around',
    ['\u202A', '\u202B', '\u202C', '\u202D', '\u202E', '\u200E', '\u200F', '\u061C'],
  ],
  ['isolates', ['\u2066', '\u2067', '\u2068', '\u2069']],
  ['what hides in a word', ['\u00AD', '\u200B', '\u2060', '\u2063', '\uFEFF', '\u{E0041}']],
] as const)('%s are left out', ([, marks]) => {
  for (const mark of marks) expect(shown(`fi${mark}xed`)).toEqual(['fixed', '`fixed`', 'fixed']);
});

test.for([
  ['an emoji of several people', '👩\u200D👩\u200D👧'],
  ['an emoji that is told apart from its letter', '❤\uFE0F'],
  ['a Persian word', 'می\u200Cخواهم'],
  ['a number sign of Arabic, which is seen', '\u0600123'],
] as const)('%s stays as it is', ([, text]) => {
  expect(shown(text)).toEqual([text, `\`${text}\``, text]);
});

test('white space and control characters are one blank, and the cut is at a character', () => {
  expect(oneLine(' a\r\n\u2028\u0000b\u0007 ')).toBe('a b');
  expect(oneLine('🙂🙂🙂', 2)).toBe('🙂🙂');
  expect(quotedWords(`\`${'🙂'.repeat(301)}`)).toBe(`\`'${'🙂'.repeat(299)}…\``);
});
