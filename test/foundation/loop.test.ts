import { getEventListeners } from 'node:events';
import { expect, test } from 'vitest';
import { every, everyOverlapping, sleep } from '../../src/foundation/loop.ts';

test('sleep ends early, and says so, when its signal aborts', async () => {
  const controller = new AbortController();
  const sleeping = sleep(60_000, controller.signal);
  controller.abort();
  expect(await sleeping).toBe(false);
  expect(await sleep(60_000, controller.signal)).toBe(false);
  expect(await sleep(1, new AbortController().signal)).toBe(true);
});

test('sleeping a thousand times on one signal leaves no listener behind', async () => {
  const { signal } = new AbortController();
  await Promise.all(Array.from({ length: 1_000 }, () => sleep(1, signal)));
  expect(getEventListeners(signal, 'abort')).toHaveLength(0);
});

test('a loop never overlaps itself, never dies of an error, and stops with its signal', async () => {
  const controller = new AbortController();
  const errors: unknown[] = [];
  let running = 0;
  let passes = 0;
  await every({ intervalMs: 0, signal: controller.signal, onError: (error) => errors.push(error) }, async () => {
    running += 1;
    expect(running).toBe(1);
    await sleep(1, controller.signal);
    running -= 1;
    passes += 1;
    if (passes === 5) controller.abort();
    if (passes % 2 === 0) throw new Error(`pass ${passes}`);
  });
  expect(passes).toBe(5);
  expect(errors.map(String)).toEqual(['Error: pass 2', 'Error: pass 4']);
});

test('passes that may overlap do not wait for each other; an error ends none, and all are over when the loop is', async () => {
  const controller = new AbortController();
  const errors: unknown[] = [];
  let begun = 0;
  let over = 0;
  const onError = (error: unknown) => errors.push(error);
  await everyOverlapping({ intervalMs: 0, signal: controller.signal, onError }, async (signal) => {
    begun += 1;
    if (begun === 2) throw new Error('the second fails');
    if (begun === 4) controller.abort();
    await sleep(60_000, signal);
    await sleep(1, new AbortController().signal);
    over += 1;
    throw new Error('stopped');
  });
  expect([begun, over]).toEqual([4, 3]);
  expect(errors.map(String)).toEqual(['Error: the second fails']);
});

test('what a pass throws because the loop is being stopped is no error', async () => {
  const controller = new AbortController();
  const errors: unknown[] = [];
  await every({ intervalMs: 0, signal: controller.signal, onError: (error) => errors.push(error) }, async (signal) => {
    controller.abort();
    signal.throwIfAborted();
  });
  expect(errors).toEqual([]);
});

test('the pause is asked for anew before each pause', async () => {
  const controller = new AbortController();
  const pauses = [1, 2, 3];
  const asked: number[] = [];
  await every(
    {
      intervalMs: () => {
        const pause = pauses.shift() ?? 0;
        asked.push(pause);
        if (pauses.length === 0) controller.abort();
        return pause;
      },
      signal: controller.signal,
      onError: () => {},
    },
    async () => {},
  );
  expect(asked).toEqual([1, 2, 3]);
});
