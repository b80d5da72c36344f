/** The list of guards is true: each stands where it says, each mark is on the list, and the tests that it names are there. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { messageOf } from '../../src/foundation/errors.ts';
import { SABOTAGES } from '../chaos/sabotages.ts';
import { useRedis } from '../support/redis.ts';
import { fileOf, markOf, withoutGuard } from './guard.ts';
import { GUARDS, guardsNamed } from './guards.ts';

const redis = useRedis();

const inRepository = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const sourceOf = (file: string): string => readFileSync(inRepository(`src/${file}`), 'utf8');
const SCRIPTS = readdirSync(inRepository('src/redis/scripts')).filter((file) => file.endsWith('.lua'));

test('each guard has a name of its own and stands in its file exactly once', () => {
  expect(new Set(GUARDS.map(({ name }) => name)).size).toBe(GUARDS.length);
  const missing = GUARDS.flatMap((guard) => {
    try {
      withoutGuard(guard, sourceOf(fileOf(guard)));
      return [];
    } catch (error) {
      return [messageOf(error)];
    }
  });
  expect(missing).toEqual([]);
});

test('each mark of a script is on the list', () => {
  const marks = SCRIPTS.flatMap((file) => {
    const script = file.replace('.lua', '');
    const found = sourceOf(`redis/scripts/${file}`).matchAll(/-- guard: (\S+)$/gm);
    return [...new Set([...found].map(([, what]) => `${script}:${what}`))];
  });
  const listed = new Set(GUARDS.map(({ name }) => name));
  expect(marks.filter((name) => !listed.has(name))).toEqual([]);
  expect(marks.length).toBeGreaterThan(20);
});

test('a script without one of its guards is still a script: what fails is the promise, not the program', async () => {
  const prelude = sourceOf('redis/scripts/prelude.lua');
  for (const guard of GUARDS.filter((one) => fileOf(one).endsWith('.lua'))) {
    const script = withoutGuard(guard, sourceOf(fileOf(guard)));
    const lua = fileOf(guard).endsWith('prelude.lua') ? script : `${prelude}\n${script}`;
    const loaded = redis.client.script('LOAD', lua);
    await expect(loaded).resolves.toMatch(/^[0-9a-f]{40}$/);
  }
});

test('each guard keeps a promise, and names tests that are there', () => {
  const tests = GUARDS.flatMap(({ name, killedBy }) => killedBy.map((path) => [name, path] as const));
  expect(tests.filter(([, path]) => !existsSync(inRepository(`test/${path}.test.ts`)))).toEqual([]);
  expect(GUARDS.filter(({ keeps, killedBy }) => keeps === '' || killedBy.length === 0)).toEqual([]);
  for (const { coveredBy } of GUARDS) if (coveredBy !== undefined) expect(guardsNamed(coveredBy)).toHaveLength(1);
});

test('what is taken out together stands side by side: each guard of it can still be taken out after the others', () => {
  for (const { without } of SABOTAGES) {
    const texts = new Map<string, string>();
    for (const guard of without.flatMap(guardsNamed)) {
      const file = fileOf(guard);
      texts.set(file, withoutGuard(guard, texts.get(file) ?? sourceOf(file)));
    }
    expect(texts.size).toBeGreaterThan(0);
  }
});

test('a removal that would do nothing, or more than it says, is refused', () => {
  const swap = { file: 'a.ts', find: 'x', put: 'y' };
  expect(() => withoutGuard({ name: 'a:b', keeps: '', killedBy: [], swap }, 'none')).toThrow('0 times');
  expect(() => withoutGuard({ name: 'a:b', keeps: '', killedBy: [], swap }, 'x and x')).toThrow('2 times');
  const marked = { name: 'script:lock', keeps: '', killedBy: [] };
  const line = `do() ${markOf(marked)}`;
  expect(withoutGuard(marked, `one\n${line}\n${line}\ntwo`)).toBe('one\ntwo');
  expect(() => withoutGuard(marked, `one\n${line}\ntwo\n${line}`)).toThrow('not exactly one place');
  expect(() => withoutGuard(marked, 'one')).toThrow('not exactly one place');
  expect(() => guardsNamed('no-such-guard')).toThrow('no-such-guard');
});
