/** What strangers may send in the place of a platform, made from what it really sends. */
import fc from 'fast-check';
import { expect } from 'vitest';
import { UnreadableWebhook, type WebhookDialect, type WebhookRequest } from '../../src/platforms/webhook.ts';

/** Any bytes, any text, any JSON. */
export const anyBody = fc.oneof(
  fc.uint8Array().map((bytes) => Buffer.from(bytes)),
  fc.string({ unit: 'binary' }).map((text) => Buffer.from(text)),
  fc.json({ noUnicodeString: false }).map((text) => Buffer.from(text)),
);

const deep = (depth: number): string => `${'{"a":['.repeat(depth)}1${']}'.repeat(depth)}`;

/** As text, because some of it is no JavaScript value; nothing of it has a space. */
const STRANGE = `
  null {} [] [[[[]]]] "" "0" "\\ud800" "\\n\\u001b[31m" "${'é'.repeat(300)}" "${'x'.repeat(300)}"
  -0 -1 1.5 1e999 9007199254740993 123456789012345678901
  "__proto__" {"__proto__":{"labels":["x"]}} {"constructor":1} ${deep(2_000)}`
  .trim()
  .split(/\s+/);

const anyValue = fc.oneof(fc.json({ maxDepth: 2, noUnicodeString: false }), fc.constantFrom(...STRANGE));

/** The payload with anything in any one place. */
export const mutated = (payload: unknown): fc.Arbitrary<Buffer> =>
  fc.tuple(fc.constantFrom(...pathsIn(payload)), anyValue).map(([path, text]) => withAt(payload, path, text));

/**
 * The payload with each strange value in each place that counts: where nothing makes it another message. In the place of a
 * list comes one without end, too, in that of a text a long one.
 */
export function everyStrangeForm(payload: unknown, read: (body: Buffer) => unknown): Buffer[] {
  const told = (body: Buffer): string => JSON.stringify(read(body));
  const whole = told(Buffer.from(JSON.stringify(payload)));
  const counting = pathsIn(payload).filter((path) => told(withAt(payload, path, 'null')) !== whole);
  expect(counting.length).toBeGreaterThan(2);
  return counting.flatMap((path) => {
    const value = valueAt(payload, path);
    const long = Array.isArray(value) ? [ENDLESS_LIST] : typeof value === 'string' ? [LONG_TEXT] : [];
    return [...STRANGE, ...long].map((text) => withAt(payload, path, text));
  });
}

const ENDLESS_LIST = `[${'7,'.repeat(100_000)}7]`;
const LONG_TEXT = `"${'<'.repeat(200_000)}"`;

/** It is read as a message whose names and ids are what they should be, or refused as unreadable. */
export function expectSafelyRead(dialect: WebhookDialect, request: WebhookRequest): void {
  try {
    const { event, action = '', news } = dialect.read(request);
    expect(event).toMatch(/^[ -~]{1,100}$/);
    expect(action).toMatch(/^[ -~]{0,100}$/);
    if (typeof news === 'string') return;
    expect(news.ticketIds).not.toEqual([]);
    for (const id of news.ticketIds) expect(id).toMatch(/^[1-9]\d{0,18}$/);
  } catch (error) {
    if (!(error instanceof UnreadableWebhook)) throw error;
  }
}

type Path = readonly string[];

/** Every path into a value, that of the value itself excepted. */
function pathsIn(value: unknown, path: Path = []): Path[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => [[...path, key], ...pathsIn(inner, [...path, key])]);
}

function valueAt(value: unknown, path: Path): unknown {
  return path.reduce<unknown>((inner, key) => (inner as Readonly<Record<string, unknown>>)[key], value);
}

const HOLE = 'the place of something else';

function withAt(payload: unknown, path: Path, text: string): Buffer {
  const holed = JSON.stringify(withHole(payload, path));
  return Buffer.from(holed.replace(JSON.stringify(HOLE), () => text));
}

function withHole(value: unknown, [key, ...rest]: Path): unknown {
  if (key === undefined) return HOLE;
  const object = value as Readonly<Record<string, unknown>>;
  const inner = withHole(object[key], rest);
  return Array.isArray(value) ? value.with(Number(key), inner) : { ...object, [key]: inner };
}
