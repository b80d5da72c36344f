import { afterEach, expect, test, vi } from 'vitest';
import { createSecondLook } from '../../src/foundation/second-look.ts';

afterEach(() => {
  vi.useRealTimers();
});

/** The wall clock is one of the clocks that count, so moving it is enough. */
function later(ms: number): void {
  vi.setSystemTime(Date.now() + ms);
}

test('a fact counts when it is seen again after the time, and nothing else in between', () => {
  vi.useFakeTimers({ toFake: ['Date'] });
  const looks = createSecondLook({ apartMs: 10_000, most: 10 });
  expect(looks.confirms('run', 'missing')).toBe(false);
  expect(looks.confirms('run', 'missing')).toBe(false);
  later(10_000);
  expect(looks.confirms('other', 'missing')).toBe(false);
  expect(looks.confirms('run', 'missing')).toBe(true);
  expect(looks.confirms('run', 'missing under another term')).toBe(false);
  expect(looks.confirms('run', 'missing')).toBe(false);
});

test('what is forgotten starts anew, and what is too much is forgotten', () => {
  vi.useFakeTimers({ toFake: ['Date'] });
  const looks = createSecondLook({ apartMs: 10_000, most: 2 });
  looks.confirms('one', 'missing');
  looks.forget('one');
  later(10_000);
  expect(looks.confirms('one', 'missing')).toBe(false);
  looks.confirms('two', 'missing');
  looks.confirms('three', 'missing');
  later(10_000);
  expect(looks.confirms('one', 'missing')).toBe(false);
  expect(looks.confirms('three', 'missing')).toBe(true);
});
