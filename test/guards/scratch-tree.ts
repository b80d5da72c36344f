/**
 * A copy of the repository in which files may be changed while nobody works in it. Packages are not copied: they are linked
 * one by one, so that what Vitest keeps beside them stays its own.
 */
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

export interface ScratchTree {
  readonly dir: string;
  /** Under src/. */
  read(file: string): Promise<string>;
  /** Puts other texts in place of files under src/, by their names, while `act` is at work. */
  withTexts<T>(texts: ReadonlyMap<string, string>, act: () => Promise<T>): Promise<T>;
  remove(): Promise<void>;
}

/** What a mutant has no use for, or must not share. */
const LEFT_OUT = new Set(['node_modules', '.git', '.cache', 'docs']);
const CACHES = new Set(['.vite', '.cache']);

export async function openScratchTree(root: string): Promise<ScratchTree> {
  const dir = await mkdtemp(path.join(tmpdir(), 'agent-smith-mutants-'));
  for (const entry of await readdir(root)) {
    if (!LEFT_OUT.has(entry)) await cp(path.join(root, entry), path.join(dir, entry), { recursive: true });
  }
  await linkPackages(path.join(root, 'node_modules'), path.join(dir, 'node_modules'));
  // A Redis server that had to be downloaded lies there.
  await symlink(path.join(root, '.cache'), path.join(dir, '.cache'));
  const inSource = (file: string): string => path.join(dir, 'src', file);
  const read = (file: string): Promise<string> => readFile(inSource(file), 'utf8');

  return {
    dir,
    read,
    async withTexts(texts, act) {
      const originals = new Map<string, string>();
      try {
        for (const [file, text] of texts) {
          originals.set(file, await read(file));
          await writeFile(inSource(file), text);
        }
        return await act();
      } finally {
        for (const [file, text] of originals) await writeFile(inSource(file), text);
      }
    },
    remove: () => rm(dir, { recursive: true, force: true, maxRetries: 5 }),
  };
}

async function linkPackages(from: string, to: string): Promise<void> {
  await mkdir(to);
  for (const entry of await readdir(from)) {
    if (!CACHES.has(entry)) await symlink(path.join(from, entry), path.join(to, entry));
  }
}
