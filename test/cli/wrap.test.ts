import { expect, test } from 'vitest';
import type { DoctorCheck } from '../../src/app/doctor/check.ts';
import { doctorLines } from '../../src/cli/doctor.ts';
import { wrapLine } from '../../src/cli/wrap.ts';

test('a line that is too long goes on below its text; a word that fits nowhere stands out', () => {
  const long = 'x'.repeat(50);
  expect(wrapLine('ok    one two three four five six seven', 6, 32)).toEqual([
    'ok    one two three four five',
    '      six seven',
  ]);
  expect(wrapLine(`ok    ${long} two`, 6, 32)).toEqual([`ok    ${long}`, '      two']);
  expect(wrapLine(`ok    ${long}`, 6, 32)).toEqual([`ok    ${long}`]);
  expect(wrapLine('ok    as it is', 6, 14)).toEqual(['ok    as it is']);
});

test('a terminal too narrow for a column, and a pipe, get lines as they are', () => {
  const line = `ok    ${'word '.repeat(40)}end`;
  expect(wrapLine(line, 20, 40)).toEqual([line]);
  expect(wrapLine(line, 6, Number.POSITIVE_INFINITY)).toEqual([line]);
});

test('doctor: the long name of a credential takes no room from the text of others', () => {
  const checks: DoctorCheck[] = [
    {
      subject: 'api',
      check: 'sign-in',
      state: 'problem',
      text: 'no '.repeat(30).trim(),
      advice: 'do '.repeat(40).trim(),
    },
    { subject: 'github~github.example.com~0123456789ab', check: 'api-budget', state: 'ok', text: '4999 left' },
  ];
  const lines = doctorLines(checks, 80);
  expect(lines[0]).toMatch(/^PROBLEM {2}api {2}sign-in +no no/);
  expect(lines[1]).toMatch(/^ {26}no/);
  expect(lines.at(-1)).toBe('ok       github~github.example.com~0123456789ab  api-budget  4999 left');
  for (const line of lines) expect(line.length).toBeLessThanOrEqual(80);
});
