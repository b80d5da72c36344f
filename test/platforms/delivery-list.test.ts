import { expect, test } from 'vitest';
import { type Attempt, firstPages, neverArrived } from '../../src/platforms/delivery-list.ts';

/** @param read told of each page that was asked for */
async function* pages<T>(all: readonly (readonly T[])[], read: (page: number) => void = () => {}) {
  for (const [index, page] of all.entries()) {
    read(index + 1);
    yield page;
  }
}

const tried = (id: string, atMs: number, hasArrived = false): Attempt => ({ id, atMs, hasArrived });

async function missing(all: readonly (readonly Attempt[])[], sinceMs = 0, mostPages = 10) {
  let asked = 0;
  const read = (page: number): void => void (asked = page);
  const { failed, isWhole } = await neverArrived(pages(all, read), { sinceMs, mostPages });
  return { failed: failed.map(({ id, atMs }) => `${id} ${atMs}`), isWhole, asked };
}

test.each([
  [[[1], [2]], { items: [1, 2], isWhole: true }],
  [[[1], [2], [3]], { items: [1, 2], isWhole: false }],
  [[], { items: [], isWhole: true }],
])('of %j two pages are taken, and it is said whether that was all', async (all, expected) => {
  expect(await firstPages(pages(all), 2)).toEqual(expected);
});

test('of a delivery that failed several times the first try counts, the oldest first', async () => {
  const list = [[tried('b', 9), tried('a', 8)], [tried('a', 5), tried('b', 5), tried('c', 5)], [tried('b', 3)]];
  expect(await missing(list)).toMatchObject({ failed: ['b 3', 'c 5', 'a 5'], isWhole: true });
});

test('what has arrived at any time has not failed, wherever that stands in the list', async () => {
  const list = [
    [tried('a', 9, true), tried('b', 8)],
    [tried('b', 7, true), tried('a', 6), tried('c', 5)],
  ];
  expect(await missing(list)).toMatchObject({ failed: ['c 5'] });
});

test('what is older is left out, and nothing behind it is asked for; what tells no time counts as young', async () => {
  const list = [[tried('a', 9), tried('b', Number.NaN)], [tried('c', 6), tried('d', 4)], [tried('e', 3)]];
  expect(await missing(list, 5)).toEqual({ failed: ['c 6', 'b NaN', 'a 9'], isWhole: true, asked: 2 });
});

test('a list without end is left after so many pages, and that is said', async () => {
  const list = Array.from({ length: 9 }, (_, index) => [tried(`d${index}`, 9 - index)]);
  expect(await missing(list, 0, 2)).toEqual({ failed: ['d1 8', 'd0 9'], isWhole: false, asked: 3 });
});
