import fc from 'fast-check';
import { expect, onTestFinished, test, vi } from 'vitest';
import { createRedactor, createStreamRedactor, REDACTED } from '../../src/foundation/redactor.ts';

const streamed = (secrets: readonly string[], chunks: readonly string[]): string => {
  const stream = createStreamRedactor(secrets);
  return chunks.map((chunk) => stream.push(chunk)).join('') + stream.end();
};

test('a secret is replaced wherever it stands, and short values are left alone', () => {
  const redactor = createRedactor(['hunter22', '1']);
  expect(redactor.redact('a hunter22 b hunter22 1')).toBe(`a ${REDACTED} b ${REDACTED} 1`);
});

test('secrets that come later are known from then on', () => {
  const redactor = createRedactor();
  expect(redactor.redact('token-of-a-project')).toBe('token-of-a-project');
  redactor.add(['token-of-a-project']);
  expect(redactor.redact('token-of-a-project')).toBe(REDACTED);
});

test('a token that was learned is forgotten after a day, unless it is a secret of the configuration too', () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  onTestFinished(() => void vi.useRealTimers());
  const redactor = createRedactor(['of-the-config']);
  redactor.learn('token-of-an-hour');
  redactor.learn('of-the-config');
  expect(redactor.redact('token-of-an-hour')).toBe(REDACTED);
  vi.advanceTimersByTime(86_400_000);
  redactor.learn('the-next-token');
  expect(redactor.secrets()).toEqual(['the-next-token', 'of-the-config']);
});

test('characters that mean something in a pattern mean nothing here', () => {
  expect(createRedactor(['a.b*c(d', 'x$&y|zz']).redact('a.b*c(d aXbbcd x$&y|zz')).toBe(
    `${REDACTED} aXbbcd ${REDACTED}`,
  );
});

test('a secret that begins with another one leaves nothing behind, also when the border falls between them', () => {
  expect(streamed(['secret', 'secret-and-more'], ['the secret', '-and-more is out'])).toBe(`the ${REDACTED} is out`);
});

test('a secret is found inside JSON too, where its quotes and line breaks are escaped', () => {
  const secret = 'pa"ss\\word\nline two';
  expect(createRedactor([secret]).redact(JSON.stringify({ error: `with ${secret} in it` }))).toBe(
    JSON.stringify({ error: `with ${REDACTED} in it` }),
  );
});

test('a stream shows the same as the whole text, however it is cut', () => {
  const secret = fc.string({ unit: fc.constantFrom('a', 'b'), minLength: 6, maxLength: 9 });
  const text = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 80 });
  fc.assert(
    fc.property(
      fc.array(secret, { minLength: 1, maxLength: 4 }),
      text,
      fc.array(fc.nat(80)),
      (secrets, whole, cuts) => {
        const borders = [0, ...cuts.map((cut) => Math.min(cut, whole.length)).sort((a, b) => a - b), whole.length];
        const chunks = borders.slice(1).map((to, i) => whole.slice(borders[i], to));
        expect(streamed(secrets, chunks)).toBe(createRedactor(secrets).redact(whole));
      },
    ),
  );
});

test('what is shown early never contains a secret', () => {
  const stream = createStreamRedactor(['abcabcabc']);
  const shown = Array.from('xxabcabcabcyyabcabcabz', (char) => stream.push(char)).join('') + stream.end();
  expect(shown).toBe(`xx${REDACTED}yyabcabcabz`);
});
