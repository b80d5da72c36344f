import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createHeldBodies, type SentBody } from '../../src/server/held-bodies.ts';

const LIMITS = { mostBytes: 10, mostBytesInFlight: 15 };
const ten = Buffer.alloc(10);

function sent(chunks: Iterable<Buffer> | AsyncIterable<Buffer>, headers: SentBody['headers'] = {}): SentBody {
  return {
    headers,
    async *[Symbol.asyncIterator]() {
      yield* chunks;
    },
  };
}

const size = async (body: Buffer): Promise<number> => body.length;

test('whatever the pieces, it is what was sent', async () => {
  const { hold } = createHeldBodies({ mostBytes: 1_000, mostBytesInFlight: 1_000 });
  const pieces = fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 20 });
  await fc.assert(
    fc.asyncProperty(pieces, async (chunks) => {
      const buffers = chunks.map((chunk) => Buffer.from(chunk));
      expect(await hold(sent(buffers), async (body) => body)).toEqual(Buffer.concat(buffers));
    }),
  );
});

test('a body that is refused gives its room back while the rest of it is still on the way', async () => {
  const { hold } = createHeldBodies(LIMITS);
  const sizes: unknown[] = [];
  async function* endless() {
    yield ten;
    sizes.push(await hold(sent([ten]), size));
    yield Buffer.of(1);
    sizes.push(await hold(sent([ten]), size));
    yield ten;
    sizes.push(await hold(sent([ten]), size));
  }
  expect(await hold(sent(endless()), size)).toEqual({ kind: 'too-large' });
  expect(sizes).toEqual([{ kind: 'overloaded' }, 10, 10]);
});

test('a length that is too large is refused before a byte of it takes room', async () => {
  const { hold } = createHeldBodies(LIMITS);
  let beside: unknown;
  async function* body() {
    yield ten;
    beside = await hold(sent([ten]), size);
    yield ten;
  }
  expect(await hold(sent(body(), { 'content-length': '11' }), size)).toEqual({ kind: 'too-large' });
  expect(beside).toBe(10);
});

test('a body that breaks off, and a use that fails, are thrown and give their room back', async () => {
  const { hold } = createHeldBodies(LIMITS);
  async function* broken() {
    yield ten;
    throw new Error('aborted');
  }
  for (let i = 0; i < 3; i += 1) {
    await expect(hold(sent(broken()), size)).rejects.toThrow('aborted');
    await expect(hold(sent([ten]), () => Promise.reject(new Error('no use')))).rejects.toThrow('no use');
  }
  expect(await hold(sent([ten]), size)).toBe(10);
});
