/** What a pipeline may say of its run: whatever it writes, a bounded result or a refusal that quotes nothing. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  MOST_LINKS,
  MOST_SUMMARY,
  parseRunResult,
  type RunResult,
  readRunResult,
} from '../../src/domain/run-result.ts';

const PULL_REQUEST = { title: 'Pull request 12', url: 'https://github.com/org/api/pull/12' };

function resultOf(value: unknown): RunResult {
  const parsed = readRunResult(value);
  return parsed.ok ? parsed.result : expect.fail(parsed.problem);
}

test('summary and links are both optional, and other fields are ignored', () => {
  expect(resultOf({ summary: 'Fixed.', links: [PULL_REQUEST], cost: 3 })).toEqual({
    summary: 'Fixed.',
    links: [PULL_REQUEST],
  });
  expect(resultOf({})).toEqual({ links: [] });
  expect(resultOf({ summary: ' \n ' })).toEqual({ links: [] });
});

test.for([
  ['no JSON', 'Fixed it', 'is not JSON'],
  ['nothing', '', 'is not JSON'],
  ['a list', '[]', 'is no JSON object'],
  ['null', 'null', 'is no JSON object'],
  ['a summary of another kind', '{"summary": {"text": "hunter2"}}', 'has a summary that is no text'],
  ['links of another kind', '{"links": {"url": "https://x.org"}}', 'has links that are no list'],
  ['a link without an address', '{"links": [{"title": "hunter2"}]}', 'has a link'],
  ['a link that runs a script', '{"links": [{"url": "javascript:alert(1)"}]}', 'has a link'],
  ['a link to a file', '{"links": [{"url": "file:///etc/passwd"}]}', 'has a link'],
  ['a link with a password', '{"links": [{"url": "https://x:hunter2@x.org/"}]}', 'has a link'],
  [
    'a link that grows too long',
    JSON.stringify({ links: [{ url: `https://x.org/${'ü'.repeat(500)}` }] }),
    'has a link',
  ],
] as const)('%s is refused, and not quoted', ([, text, problem]) => {
  const parsed = parseRunResult(text);
  expect(parsed).toEqual({
    ok: false,
    problem: expect.stringContaining(`The result that the pipeline wrote ${problem}`),
  });
  expect(JSON.stringify(parsed)).not.toContain('hunter2');
});

test('what is too long is cut, at a character', () => {
  const { summary = '', links } = resultOf({
    summary: '🙂'.repeat(5_000),
    links: Array.from({ length: 30 }, () => PULL_REQUEST),
  });
  expect(Array.from(summary)).toHaveLength(MOST_SUMMARY);
  expect(summary.isWellFormed()).toBe(true);
  expect(links).toHaveLength(MOST_LINKS);
});

test('titles are one line, and without one the host is shown', () => {
  const titled = (title: unknown): string | undefined =>
    resultOf({ links: [{ ...PULL_REQUEST, title }] }).links[0]?.title;
  expect(titled('Pull\n\nrequest\t12 \u0000')).toBe('Pull request 12');
  expect(titled(undefined)).toBe('github.com');
  expect(titled(' ')).toBe('github.com');
  expect(titled('x'.repeat(1_000))).toHaveLength(200);
});

test('text cannot drive a terminal, and reads in the order in which it is written', () => {
  expect(resultOf({ summary: '\u001B[2Jred\u202Etxt.exe\u0007\nnext\tcell' }).summary).toBe(
    '[2Jredtxt.exe\nnext\tcell',
  );
});

test('a secret is taken out before anything is cut or written in another way', () => {
  const secret = 'pässword "1"';
  const text = JSON.stringify({
    summary: `${'x'.repeat(MOST_SUMMARY - 4)}${secret}`,
    links: [{ title: `log of ${secret}`, url: `https://ci.corp/?key=${secret}` }],
  });
  const parsed = parseRunResult(text, (part) => part.replaceAll(secret, '[redacted]'));
  expect(parsed).toMatchObject({ ok: true, result: { links: [{ title: 'log of [redacted]' }] } });
  expect(decodeURI(JSON.stringify(parsed))).not.toContain('päss');
});

test('property: whatever is written is refused or a result within its bounds, and read again it is the same', () => {
  const link = fc.record({
    title: fc.anything(),
    url: fc.oneof(fc.webUrl({ withFragments: true, withQueryParameters: true }), fc.string()),
  });
  const written = fc.oneof(
    fc.anything(),
    fc.record({ summary: fc.string({ unit: 'binary', maxLength: 9_000 }), links: fc.array(link, { maxLength: 25 }) }),
    fc.record({
      links: fc.array(fc.record({ title: fc.string({ unit: 'binary' }), url: fc.webUrl() }), { maxLength: 25 }),
    }),
  );
  fc.assert(
    fc.property(written, (value) => {
      const parsed = readRunResult(value);
      if (!parsed.ok) return;
      const { result } = parsed;
      expect(Array.from(result.summary ?? '').length).toBeLessThanOrEqual(MOST_SUMMARY);
      expect(result.links.length).toBeLessThanOrEqual(MOST_LINKS);
      for (const { title, url } of result.links) {
        expect(title).toMatch(/^\S.{0,199}$/u);
        expect(url).toMatch(/^https?:\/\/[^\s<>"]+$/);
      }
      expect(parseRunResult(JSON.stringify(result))).toEqual(parsed);
    }),
    { numRuns: 100 },
  );
});
