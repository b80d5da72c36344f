import { expect, test } from 'vitest';
import { createOutputTail } from '../../../src/worker/guard/output-tail.ts';

test('streams are merged in order of arrival', () => {
  const tail = createOutputTail({ limitBytes: 100, secrets: [] });
  const [out, err] = [tail.stream(), tail.stream()];
  out(Buffer.from('one '));
  err(Buffer.from('two '));
  out(Buffer.from('three'));
  expect(tail.finish()).toBe('one two three');
});

test.for([1, 2, 3, 5, 64])('only the end is kept, never half a character (chunks of %s bytes)', (chunkBytes) => {
  const text = `${'€'.repeat(5_000)}end`;
  const tail = createOutputTail({ limitBytes: 1_000, secrets: [] });
  const out = tail.stream();
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += chunkBytes) out(bytes.subarray(at, at + chunkBytes));
  const kept = tail.finish();
  // 997 bytes are left for characters of three bytes each: 332 of them, and one byte that would be half a character.
  expect(kept).toBe(`${'€'.repeat(332)}end`);
});

test('a secret cut into two chunks does not show, also with the other stream in between', () => {
  const tail = createOutputTail({ limitBytes: 1_000, secrets: ['s3cr3t-value'] });
  const [out, err] = [tail.stream(), tail.stream()];
  out(Buffer.from('token s3cr'));
  err(Buffer.from('|noise|'));
  out(Buffer.from('3t-value.'));
  expect(tail.finish()).toBe('token |noise|[redacted].');
});

test('what only began like a secret is shown in the end', () => {
  const tail = createOutputTail({ limitBytes: 1_000, secrets: ['s3cr3t-value'] });
  tail.stream()(Buffer.from('token s3cr'));
  expect(tail.finish()).toBe('token s3cr');
});
