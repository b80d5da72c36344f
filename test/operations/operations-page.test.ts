/** The page of whoever is on call names what there is: nothing is missing, and nothing that it names is gone. */
import { describe, expect, test } from 'vitest';
import { DEFAULT_TIMING } from '../../src/domain/timing.ts';
import { allMatches, codeSpans, pageText, productSources, section, tableRows } from './pages.ts';
import { realMetrics } from './real-metrics.ts';
import { findingCodes, loudMessages } from './what-sources-say.ts';

const page = pageText('docs/operations.md');
const sources = productSources();
const all = sources.map(({ text }) => text).join('\n');
const sorted = (words: Iterable<string>): string[] => [...new Set(words)].toSorted();

test('every finding has its row, and every row is a finding that there is', () => {
  const made = sorted(sources.flatMap(findingCodes));
  expect(made.length).toBeGreaterThan(34);
  expect(sorted(tableRows(page, 'finding').flatMap(([first = '']) => codeSpans(first)))).toEqual(made);
});

test('every row of a finding says what it means, and what to do', () => {
  const rows = tableRows(page, 'finding');
  expect(rows.filter(([, where = '', means = '', todo = '']) => !/^(all|one)$/.test(where) || !means || !todo)).toEqual(
    [],
  );
});

test('every subsystem has its row, with every reason that it gives', () => {
  const collect = pageText('src/server/collect-health.ts');
  const [, names = ''] = /type SubsystemName = ([^;]+);/.exec(pageText('src/server/health.ts')) ?? [];
  const rows = tableRows(section(page, 'Subsystems'), 'subsystem');
  expect(sorted(rows.map(([name = '']) => name.replaceAll('`', '')))).toEqual(sorted(allMatches(names, /'(\w+)'/g)));
  const reasons = allMatches(collect, /subsystem\(\s*(?:name|'\w+'),\s*'\w+',\s*'([^']+)'/g);
  expect(reasons.length).toBeGreaterThan(5);
  const said = new Set(rows.flatMap((row) => codeSpans(row.join(' '))));
  expect(sorted([...reasons, 'connected', 'unreachable', 'leader', 'follower']).filter((r) => !said.has(r))).toEqual(
    [],
  );
});

test('every state of a subsystem is explained', () => {
  const [, states = ''] = /type SubsystemState = ([^;]+);/.exec(pageText('src/server/health.ts')) ?? [];
  const text = section(page, 'Subsystems');
  const named = allMatches(states, /'(\w+)'/g);
  expect(named).toHaveLength(4);
  expect(named.filter((state) => !codeSpans(text).includes(state))).toEqual([]);
});

test('every field of /health is in the table of fields, or has a section of its own', () => {
  const health = pageText('src/server/health.ts');
  const views = ['RoleView', 'EngineView', 'ProjectView', 'MissedView', 'LastPoll', 'BudgetView'].flatMap((name) => {
    const [, body = ''] = new RegExp(`interface ${name} \\{([^}]+)\\}`).exec(health) ?? [];
    return allMatches(body, /readonly (\w+):/g);
  });
  const [, body = ''] = /function healthBody[\s\S]*?return \{([\s\S]*?)\n {2}\};/.exec(health) ?? [];
  const top = allMatches(body, /^ {4,6}(\w+):/gm);
  expect([views.length, top.length].every((count) => count > 9)).toBe(true);
  const spans = new Set(codeSpans(section(page, 'What /health says')).flatMap((span) => span.split(/\[\]|\./)));
  const elsewhere = ['instance', 'version', 'subsystems', 'findings'];
  expect(sorted([...views, ...top]).filter((field) => !spans.has(field) && !elsewhere.includes(field))).toEqual([]);
});

describe('the log', () => {
  const named = sorted(allMatches(page.replace(/`[^`]*`/g, '').replaceAll('**', ''), /(?<!\w)\*([^*\n]+)\*/g));

  test('every warning and error says on the page what to do', () => {
    const loud = sorted(sources.flatMap(loudMessages));
    expect(loud.length).toBeGreaterThan(40);
    const explained = new Set(allMatches(section(page, 'Log lines'), /\*([^*\n]+)\*/g));
    expect(loud.filter((message) => !explained.has(message))).toEqual([]);
  });

  test('every message on the page is one that is logged', () => {
    expect(named.filter((message) => !all.includes(`'${message}'`))).toEqual([]);
  });
});

test('every metric has its row, with the labels that it has', async () => {
  const ofOthers = /^agentsmith_(process|nodejs)_/;
  const rows = tableRows(section(page, 'Metrics'), 'metric');
  const told = rows.map(
    ([name = '', labels = '']) => `${name.replaceAll('`', '')} ${sorted(codeSpans(labels)).join(' ')}`,
  );
  const real = [...(await realMetrics())].filter(([name]) => !ofOthers.test(name));
  const labelsOf = (labels: ReadonlySet<string>): string =>
    sorted(labels)
      .filter((label) => label !== 'le')
      .join(' ');
  expect(sorted(told)).toEqual(sorted(real.map(([name, { labels }]) => `${name} ${labelsOf(labels)}`)));
});

test('every kind of repair is named, and the lifetimes of what is kept are those of the product', () => {
  const [, kinds = ''] = /readonly kind:([^;]+);/.exec(pageText('src/repair/repair.ts')) ?? [];
  const named = [...allMatches(kinds, /'([a-z-]+)'/g), 'admission', 'stray-entry'];
  expect(named.length).toBeGreaterThan(6);
  expect(named.filter((kind) => !codeSpans(section(page, 'Log lines')).includes(kind))).toEqual([]);
  const days = (ms: number): string => `${ms / 86_400_000} days`;
  expect(page.replaceAll('\n', ' ')).toContain(
    `runs ${days(DEFAULT_TIMING.runTtlMs)}, deliveries ${days(DEFAULT_TIMING.deliveryTtlMs)}`,
  );
});

test('every command, option and route that is shown exists', () => {
  const cli = pageText('src/cli/program.ts');
  const commands = sorted(allMatches(page, /agent-smith ([a-z]+)/g));
  expect(commands.length).toBeGreaterThan(5);
  expect(commands.filter((command) => !cli.includes(`.command('${command}')`))).toEqual([]);
  const routes = sorted(allMatches(page, /\/api(\/[a-z]+)/g));
  const api = pageText('src/server/api.ts');
  expect(routes.length).toBeGreaterThan(1);
  expect(routes.filter((route) => !api.includes(`('${route}'`))).toEqual([]);
});

test('every word in code is one of the product, but for those of the tools around it', () => {
  const others = new Set([
    'appendfsync everysec',
    'appendonly yes',
    'chmod +x',
    'Command timed out',
    'CONFIG',
    'dashboard.enabled',
    'maxmemory',
    'maxmemory-policy noeviction',
    'min-replicas-to-write 1',
    'openssl rand -hex 32',
    'prometheusRule.enabled',
    'rule_files',
    'setsid',
    'terminationGracePeriodSeconds',
  ]);
  const exotic = /[(){}<>=|$/"\\]|^AgentSmith[A-Z]|^agent-smith |^GET |^POST |^max|\[\]/;
  const unknown = codeSpans(page)
    .filter((span) => !others.has(span) && !exotic.test(span))
    .flatMap((span) => span.split(/ ?\.\.\. ?|: (?=[a-z])|\./))
    .filter((word) => word.length > 1 && !all.includes(word.trim()));
  expect(sorted(unknown)).toEqual([]);
});
