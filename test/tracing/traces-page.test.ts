/** The page on traces names what is sent, and nothing else. */
import { expect, test } from 'vitest';
import { DEFAULT_TIMING as T } from '../../src/domain/timing.ts';
import { allMatches, codeSpans, pageText, productSources, section, tableRows } from '../operations/pages.ts';

const page = pageText('docs/traces.md');
const all = productSources()
  .map(({ text }) => text)
  .join('\n');
const sorted = (words: Iterable<string>): string[] => [...new Set(words)].toSorted();

test('every attribute has its row, and every row is an attribute that is sent', () => {
  const sent = sorted(allMatches(all, /'((?:agentsmith|cicd|process|error)\.[a-z.]+)':/g));
  expect(sent.length).toBeGreaterThan(15);
  const rows = tableRows(section(page, 'What the spans mean'), 'attribute');
  expect(sorted(rows.flatMap(([names = '']) => codeSpans(names)))).toEqual(sent);
});

test('every span is in the picture, and every one of the picture is told', () => {
  const [picture = ''] = allMatches(section(page, 'What the spans mean'), /```\n([\s\S]*?)```/g);
  const shown = allMatches(picture, /^(?:[| ]*\+- )?(\w+(?: \w+)*(?: \| \w+)*)/gm).flatMap((names) =>
    names.split(' | '),
  );
  const told = [
    ...allMatches(all, /\bstep\(\s*[\w.]+,\s*'([a-z ]+)'/g),
    ...allMatches(all, /\? '(delivery)' : 'poll'/g),
  ];
  expect(sorted(shown)).toEqual(sorted([...told, 'ticket', 'poll']));
});

test('the times are those of the product', () => {
  const missing = section(page, 'When spans are missing').replaceAll('\n', ' ');
  const s = (ms: number): string => `${ms / 1000} s`;
  expect(missing).toContain(`every ${s(T.traceBatchMs)}`);
  expect(missing).toContain(`within ${s(T.traceExportMs)}`);
  expect(missing).toContain(`for ${s(T.traceFlushMs)} at most`);
  expect(pageText('docs/decisions/0027-trace-ids.md')).toContain(`every ${s(T.traceClockMs)}`);
});

test('the last sending takes none of the time that an orderly end has', () => {
  expect(T.traceFlushMs).toBeLessThanOrEqual(T.redisCommandMs);
});
