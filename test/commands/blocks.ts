/** The fenced blocks of the documentation, and how they say that they are not for everybody's machine. */
import { globSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { pageText } from '../operations/pages.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

export const PAGES: readonly string[] = [
  'README.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  'CHANGELOG.md',
  ...globSync(['docs/**/*.md', 'examples/**/*.md', 'src/platforms/*/profile.md'], { cwd: ROOT }),
];

export interface Block {
  /** `docs/api.md:24`. */
  readonly place: string;
  readonly page: string;
  /** Empty: an output or a drawing. */
  readonly language: string;
  readonly text: string;
  /** What it needs beside a clone and its network: `a cluster`. Said in its first line. */
  readonly needs?: string;
  /** The file of the test that carries it out, from a comment above it: `<!-- tried by test/x.test.ts -->`. */
  readonly triedBy?: string;
}

const FENCE = /^(?<indent>[^\S\n]*)```(?<language>[^\n`]*)\n(?<text>[^]*?)^[^\S\n]*```[^\S\n]*$/gm;

export function blocksOf(page: string): Block[] {
  const whole = pageText(page);
  return [...whole.matchAll(FENCE)].map(({ index, groups }) => {
    const { indent = '', language = '', text: indented = '' } = groups ?? {};
    const text = indented.replaceAll(new RegExp(`^${indent}`, 'gm'), '');
    const above = whole.slice(0, index);
    const [, needs] = /^# needs (.+)$/.exec(text.split('\n', 1)[0] ?? '') ?? [];
    const [, triedBy] = /<!-- tried by (\S+) -->\s*$/.exec(above) ?? [];
    return {
      place: `${page}:${above.split('\n').length}`,
      page,
      language,
      text,
      ...(needs === undefined ? {} : { needs }),
      ...(triedBy === undefined ? {} : { triedBy }),
    };
  });
}
