/** Documentation that points nowhere is worse than none: every link is followed, every named test must exist. */
import { existsSync, globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { configJsonSchema } from '../src/config/json-schema.ts';
import type { CampaignLine } from './chaos/campaign.ts';
import { describeCampaign } from './chaos/record.ts';
import { SABOTAGES } from './chaos/sabotages.ts';
import { GUARDS } from './guards/guards.ts';
import { anchorOf, codeSpans, section, tableRows } from './operations/pages.ts';

const ROOT = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const pages = [
  'README.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  'SECURITY.md',
  ...globSync('docs/**/*.md', { cwd: ROOT }),
];

function textOf(page: string): string {
  return readFileSync(path.join(ROOT, page), 'utf8');
}

function matches(text: string, pattern: RegExp): Set<string> {
  return new Set([...text.matchAll(pattern)].map(([, found = '']) => found));
}

/** As much of a JSON Schema as is looked at here. */
interface Schema {
  readonly enum?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema;
}

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

test('every link into a page leads to one of its headings', () => {
  const anchored = local.filter(({ target }) => /^[^#]*(?:\.md)?#./.test(target));
  expect(anchored.length).toBeGreaterThan(20);
  const lost = anchored.filter((link) => {
    const page = link.target.startsWith('#') ? path.join(ROOT, link.page) : resolved(link);
    const headings = [...matches(readFileSync(page, 'utf8'), /^#+ (.+)$/gm)].map(anchorOf);
    return !headings.includes(link.target.replace(/^[^#]*#/, ''));
  });
  expect(lost).toEqual([]);
});

/** A title in a test file stands between quotes. */
function isTitleIn(title: string, file: string): boolean {
  const text = readFileSync(file, 'utf8').replaceAll("\\'", "'");
  return ["'", '"', '`'].some((quote) => text.includes(quote + title + quote));
}

test.each([
  ['guarantees', 20],
  ['chaos-record', 20],
  ['security', 60],
])('every test that %s names exists, by its title', (page, atLeast) => {
  const tests = local.filter((link) => link.page === `docs/${page}.md` && link.target.startsWith('../test/'));
  expect(tests.length).toBeGreaterThan(atLeast);
  expect(tests.filter((link) => !isTitleIn(link.text, resolved(link)))).toEqual([]);
});

test('every bug of the record has a row of its own, which names the test that misses it no more', () => {
  const bugs = tableRows(section(textOf('docs/chaos-record.md'), 'What the faults found'), 'found by');
  expect(bugs.length).toBeGreaterThan(20);
  const isTold = (cells: readonly string[]): boolean =>
    cells.length === 4 && !cells.includes('') && /^\[[^\]]+\]\(\.\.\/test\/[^)\s]+\)$/.test(cells[3] ?? '');
  expect(bugs.filter((cells) => !isTold(cells))).toEqual([]);
});

test('the tables of the campaign say what its file says', () => {
  const lines = textOf('docs/chaos-campaign.jsonl').trim().split('\n');
  const tables = describeCampaign(lines.map((line) => JSON.parse(line) as CampaignLine));
  expect(textOf('docs/chaos-record.md')).toContain(tables.join('\n'));
});

test('the guards that the proofs are about are those of the list', () => {
  const guards = section(textOf('docs/chaos.md'), 'Guards');
  const rows = tableRows(guards, 'taken out together').map(([keeps, names = '']) => [keeps, codeSpans(names)]);
  expect(rows).toEqual(SABOTAGES.map(({ keeps, without }) => [keeps, without]));
  expect(guards.replaceAll('\n', ' ')).toContain(`There are ${GUARDS.length}.`);
  const covered = GUARDS.flatMap(({ name, coveredBy }) => (coveredBy === undefined ? [] : [name, coveredBy]));
  const [, told = ''] = guards.split('`coveredBy`');
  expect(
    codeSpans(told)
      .filter((span) => span.includes(':'))
      .toSorted(),
  ).toEqual(covered.toSorted());
});

test('the guide to webhooks names every setting of the way in, the README what there is to choose', () => {
  const { properties } = configJsonSchema() as Schema;
  const { webhook, sync_policy } = properties?.projects?.additionalProperties?.properties ?? {};
  const settings = [
    ...Object.keys(properties ?? {}).filter((key) => /^(event|reconcile|default_sync|webhooks)/.test(key)),
    ...Object.keys({ ...properties?.webhooks?.properties, ...webhook?.properties, sync_policy }),
    ...[properties?.event_engine, sync_policy].flatMap((setting) => setting?.enum ?? []),
  ];
  expect(settings.length).toBeGreaterThan(17);
  const guide = textOf('docs/webhooks.md');
  expect(settings.filter((setting) => !new RegExp(`\\b${setting}\\b`).test(guide))).toEqual([]);
  const words = ['event_engine', 'polling', 'streaming', 'auto', 'sync_policy', 'proxy', 'tunnel', 'falls back'];
  for (const page of ['README.md', 'docs/webhooks.md'])
    expect([page, words.filter((word) => !textOf(page).includes(word))]).toEqual([page, []]);
});

test('the events of the log that the guide to webhooks names are those that are logged', () => {
  const [, list = ''] = textOf('docs/webhooks.md').split('Lines of the log');
  const sources = globSync('src/ingress/**/*.ts', { cwd: ROOT }).map(textOf).join('\n');
  const logged = matches(sources, /'((?:event|webhook|reconcile|missed)_[a-z_]+)'/g);
  expect(logged.size).toBeGreaterThan(9);
  expect(matches(list, /`([a-z]+_[a-z_]+)`/g)).toEqual(logged);
});

test('every metric that is named is one that there is, and the guide to webhooks names all that are about them', () => {
  const there = matches(textOf('src/server/metrics.ts'), /name: '(agentsmith_[a-z_]+)'/g);
  const named = matches(pages.map(textOf).join('\n'), /(?<![\w/.])(agentsmith_[a-z_]+[a-z])/g);
  expect(named.size).toBeGreaterThan(6);
  expect([...named].filter((name) => !there.has(name))).toEqual([]);
  const guide = textOf('docs/webhooks.md');
  const aboutWebhooks = [...there].filter((name) => /webhook|deliver|inbox|missed|sync/.test(name));
  expect(aboutWebhooks.filter((name) => !guide.includes(name))).toEqual([]);
});

test('what the page on tokens quotes of doctor is what the platforms say, and each platform is quoted', () => {
  const rows = tableRows(section(textOf('docs/tokens.md'), 'What doctor says'), 'platform');
  expect(rows.length).toBeGreaterThan(8);
  const slugOf = (platform = ''): string => platform.toLowerCase().replaceAll(' ', '');
  const isSaid = ([platform, line = '']: readonly string[]): boolean =>
    textOf(`src/platforms/${slugOf(platform)}/access.ts`).includes(line.replaceAll('*', ''));
  expect(rows.filter((row) => !isSaid(row))).toEqual([]);
  const platforms = globSync('src/platforms/*/access.ts', { cwd: ROOT }).map((file) =>
    path.basename(path.dirname(file)),
  );
  expect(new Set(rows.map(([platform]) => slugOf(platform)))).toEqual(new Set(platforms));
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
