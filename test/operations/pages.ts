/** What the tests of the operators' pages read: pages with their tables, and the sources that they speak of. */
import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

export interface Source {
  /** Relative to the repository. */
  readonly file: string;
  readonly text: string;
}

export function pageText(page: string): string {
  return readFileSync(path.join(ROOT, page), 'utf8');
}

/** The sources of the product, without what only demonstrates it. */
export function productSources(...patterns: readonly string[]): Source[] {
  return globSync(patterns.length === 0 ? ['src/**/*.{ts,lua}'] : [...patterns], { cwd: ROOT })
    .filter((file) => !/^src\/(emulators|cli\/demo)\//.test(file))
    .map((file) => ({ file, text: pageText(file) }));
}

export function allMatches(text: string, pattern: RegExp): string[] {
  return [...text.matchAll(pattern)].map(([, found = '']) => found);
}

/** What stands under a heading, up to the next one of its level or above. */
export function section(page: string, heading: string): string {
  const lines = page.split('\n');
  const start = lines.findIndex((line) => /^#+ /.test(line) && line.replace(/^#+ /, '') === heading);
  if (start < 0) throw new Error(`no heading "${heading}"`);
  const level = lines[start]?.indexOf(' ') ?? 0;
  const end = lines.findIndex((line, i) => i > start && new RegExp(`^#{1,${level}} `).test(line));
  return lines.slice(start + 1, end < 0 ? undefined : end).join('\n');
}

/** As GitHub and GitLab make it of a heading. */
export function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');
}

/** The rows of all tables whose first column has this head, each as its cells. */
export function tableRows(text: string, head: string): string[][] {
  const rows: string[][] = [];
  let inTable = false;
  for (const line of text.split('\n')) {
    const cells = line.startsWith('| ') ? cellsOf(line) : undefined;
    if (cells === undefined) inTable = line.startsWith('|-') && inTable;
    else if (cells[0] === head) inTable = true;
    else if (inTable) rows.push(cells);
  }
  return rows;
}

/** A bar that is written `\|` is none. */
function cellsOf(line: string): string[] {
  return line
    .slice(1, -1)
    .split(/(?<!\\)\|/)
    .map((cell) => cell.trim());
}

export function codeSpans(text: string): string[] {
  return allMatches(text.replace(/```[\s\S]*?```/g, ''), /`([^`]+)`/g);
}
