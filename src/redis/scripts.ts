/**
 * Lua scripts live in files, one act each, with a header that names KEYS, ARGV and what they return. They are loaded
 * once and called by hash; the typed wrappers stand in the stores that own the keys.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import type { Redis } from 'ioredis';

interface Script {
  readonly name: string;
  readonly lua: string;
  readonly sha1: string;
}

const folder = new URL('./scripts/', import.meta.url);

function loadScripts(): ReadonlyMap<string, Script> {
  const read = (name: string): string => readFileSync(new URL(`${name}.lua`, folder), 'utf8');
  const prelude = read('prelude');
  const names = readdirSync(folder)
    .filter((file) => file.endsWith('.lua'))
    .map((file) => basename(file, '.lua'))
    .filter((name) => name !== 'prelude');
  return new Map(
    names.map((name) => {
      const lua = `${prelude}\n${read(name)}`;
      return [name, { name, lua, sha1: createHash('sha1').update(lua).digest('hex') }];
    }),
  );
}

/** All of them, by name. */
export const scripts: ReadonlyMap<string, Script> = loadScripts();

/** What a script answers: always a flat list, its first word says which case it is. */
export type Reply = readonly (string | readonly string[])[];

/** Runs a script by its hash, and sends its text only to a server that does not know it yet. */
export async function evalScript(
  client: Redis,
  name: string,
  keys: readonly string[],
  args: readonly (string | number)[],
): Promise<unknown> {
  const script = scripts.get(name);
  if (script === undefined) throw new Error(`no Lua script ${name}`);
  try {
    return await client.evalsha(script.sha1, keys.length, ...keys, ...args);
  } catch (error) {
    if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
    return await client.eval(script.lua, keys.length, ...keys, ...args);
  }
}
