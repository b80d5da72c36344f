import { expect, test } from 'vitest';
import { describeTicket } from '../../../src/worker/runners/describe-ticket.ts';
import { requestFor } from './requests.ts';

const read = (text: string): Record<string, unknown> => JSON.parse(text) as Record<string, unknown>;

test('one line of JSON with the ticket, its source and the attempt', () => {
  const text = describeTicket(requestFor());
  expect(text.endsWith('}\n')).toBe(true);
  expect(read(text)).toMatchObject({ title: 'It breaks', body: 'Every time.', source: { type: 'GitHub' }, attempt: 2 });
  expect(read(text)).not.toHaveProperty('truncated');
});

test.each([
  ['plain', 'x'.repeat(5_000)],
  ['that grows when it is escaped', '\u0001"\\\n'.repeat(2_000)],
  ['of wide characters', '🌳é'.repeat(2_000)],
])('a body %s is cut so that everything fits, and as much of it as does', (_kind, body) => {
  const text = describeTicket(requestFor({ ticket: { body } }), 2_000);
  const size = Buffer.byteLength(text);
  expect(size).toBeLessThanOrEqual(2_000);
  expect(size).toBeGreaterThan(1_980);
  const { body: cut, truncated } = read(text) as { body: string; truncated: boolean };
  expect(truncated).toBe(true);
  expect(body.startsWith(cut) && cut.isWellFormed()).toBe(true);
});

test('what fits exactly is not cut', () => {
  const whole = describeTicket(requestFor());
  expect(read(describeTicket(requestFor(), Buffer.byteLength(whole) + 2))).not.toHaveProperty('truncated');
});
