/** Documentation that points nowhere is worse than none: every link is followed, every named test must exist. */
import { existsSync, globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const ROOT = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const pages = ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', ...globSync('docs/**/*.md', { cwd: ROOT })];

interface Link {
  readonly page: string;
  readonly text: string;
  readonly target: string;
}

const links: Link[] = pages.flatMap((page) =>
  [...readFileSync(path.join(ROOT, page), 'utf8').matchAll(/\[([^\]]+)\]\(([^)\s]+)\)/g)].map(
    ([, text = '', target = '']) => ({
      page,
      text,
      target,
    }),
  ),
);
const local = links.filter(({ target }) => !/^https?:/.test(target));
const resolved = ({ page, target }: Link): string =>
  path.resolve(ROOT, path.dirname(page), decodeURIComponent(target.replace(/#.*$/, '')));

test('every local link of the documentation leads to a file', () => {
  expect(local.length).toBeGreaterThan(20);
  expect(local.filter((link) => !existsSync(resolved(link)))).toEqual([]);
});

test('every guarantee names a test that exists, by its title', () => {
  const tests = local.filter(({ page, target }) => page === 'docs/guarantees.md' && target.startsWith('../test/'));
  expect(tests.length).toBeGreaterThan(20);
  expect(tests.filter((link) => !readFileSync(resolved(link), 'utf8').includes(link.text))).toEqual([]);
});

test('every decision is in the list of decisions', () => {
  const listed = links.filter(({ page }) => page === 'docs/decisions/README.md').map(({ target }) => target);
  const written = globSync('docs/decisions/0*.md', { cwd: ROOT }).map((file) => path.basename(file));
  expect(written.length).toBeGreaterThan(5);
  expect(listed.toSorted()).toEqual(written.toSorted());
});

test('every command that the README shows is one that the package has', () => {
  const { scripts } = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8')) as { scripts: object };
  const shown = [
    ...readFileSync(path.join(ROOT, 'README.md'), 'utf8').matchAll(/npm (?:run )?(?:--silent )?([a-z-]+)/g),
  ];
  const names = new Set(shown.map(([, name = '']) => name));
  expect(names.size).toBeGreaterThan(4);
  expect([...names].filter((name) => !(name in scripts))).toEqual([]);
});
