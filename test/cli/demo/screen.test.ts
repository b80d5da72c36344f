/** The demo's picture fits every window, shows the platforms side by side, and no control character of a ticket. */
import { expect, test } from 'vitest';
import type { BoardTicket } from '../../../src/cli/demo/board-ticket.ts';
import type { Paint } from '../../../src/cli/demo/cells.ts';
import { renderScene, type Scene } from '../../../src/cli/demo/screen.ts';

const plain: Paint = (_, text) => text;

const SITES = [
  { platform: 'github', name: 'GitHub' },
  { platform: 'gitlab', name: 'GitLab' },
  { platform: 'azuredevops', name: 'Azure DevOps' },
  { platform: 'jira', name: 'Jira' },
];

/** The nth goes to the platforms in turn, as in the demo. */
function ticket(number: number, facts: Partial<BoardTicket> = {}): BoardTicket {
  const site = SITES[(number - 1) % SITES.length];
  return {
    page: `http://127.0.0.1/${number}`,
    platform: site?.platform ?? '',
    shortName: `shop#${number}`,
    name: `${site?.name} shop#${number}`,
    title: `Title ${number} that is longer than a narrow window has room for`,
    pipeline: 'security-scan',
    look: 'done',
    arrival: { by: site?.platform === 'github' ? 'webhook' : 'poll', afterMs: 40 },
    why: '',
    end: 'done',
    life: undefined,
    sinceMs: number,
    asked: 1,
    edits: undefined,
    closed: false,
    ...facts,
  };
}

function scene(facts: Partial<Scene> = {}): Scene {
  const replica = {
    pid: 4711,
    state: 'up',
    leads: ['poller'],
    activeRuns: 3,
    webhookPort: 8081,
    engines: new Map(),
    polls: new Map(),
    problem: undefined,
  } as const;
  return {
    nowMs: 60_000,
    elapsedMs: 60_000,
    replicas: [
      { name: 'alpha', ...replica },
      { name: 'beta', ...replica, state: 'killed', pid: undefined },
    ],
    sites: SITES,
    engines: new Map(SITES.map(({ platform }) => [platform, platform === 'github' ? 'streaming' : 'polling'])),
    tickets: Array.from({ length: 40 }, (_, index) => ticket(index + 1)),
    news: Array.from({ length: 20 }, (_, index) => ({ atMs: index, text: `shop#${index} is done`, tone: 'good' })),
    verdict: { tickets: 30, done: 28, failed: 1, open: ['shop#1'], doubled: [] },
    kills: 2,
    keys: true,
    ...facts,
  };
}

const at = (columns: number, rows: number, facts: Partial<Scene> = {}): string[] =>
  renderScene(scene(facts), { columns, rows }, plain);

test.each([
  [80, 24],
  [120, 30],
  [140, 45],
  [300, 100],
  [50, 16],
  [20, 10],
  [8, 4],
])('fits a window of %i x %i', (columns, rows) => {
  const lines = at(columns, rows);
  expect(lines.length).toBeLessThan(rows);
  for (const line of lines) expect(line.length).toBeLessThan(columns);
});

test.each([
  [80, 24],
  [120, 30],
])('shows four platforms side by side, two in a row, in a window of %i x %i', (columns, rows) => {
  const lines = at(columns, rows);
  expect(lines.some((line) => /^ GitHub .* GitLab /.test(line))).toBe(true);
  expect(lines.some((line) => /^ Azure DevOps .* Jira /.test(line))).toBe(true);
  const row = lines.find((line) => line.includes('shop#37')) ?? '';
  expect(row).toMatch(/shop#37 .*Title.*✔ .*shop#38 .*Title.*✔ /);
});

test('shows one platform below the other in a narrow window', () => {
  const lines = at(60, 40);
  const heads = lines.filter((line) => /^ (GitHub|GitLab|Azure DevOps|Jira) /.test(line));
  expect(heads).toHaveLength(4);
  expect(heads[0]).toContain('✔ 10  ✖ 0');
});

test('says who leads, who was killed, how tickets stand, what the signs mean and what just happened', () => {
  const text = at(170, 50).join('\n');
  expect(text).toMatch(/● alpha .*pid 4711 .*leads polling .*3 at work/);
  expect(text).toMatch(/✖ beta .*killed/);
  expect(text).toMatch(/shop#30 .*security-scan .*✔ done/);
  expect(text).toContain('shop#19 is done');
  expect(text).toMatch(/◌ pending .*○ enqueued .*◐ in progress .*! interrupted .*– skipped/);
  expect(text).toMatch(/30 tickets .*✔ 28 done .*✖ 1 failed .*0 doubled .*1 to go .*2 kills survived/);
});

test('shows by which way tickets come in, on each platform and of each ticket', () => {
  const text = at(170, 50).join('\n');
  expect(text).toMatch(/GitHub  ↯ webhooks .*GitLab  ↻ polling /);
  expect(text).toMatch(/shop#29 .*↯ .*shop#30 .*↻ /);
  expect(text).toMatch(/↯ webhook {2}↻ listing/);
  const narrow = at(80, 24).join('\n');
  expect(narrow).toMatch(/GitHub  ↯ .*and \d+ more.*GitLab  ↻ /);
  expect(narrow).toMatch(/shop#37 .*↯ .*shop#38 .*↻ /);
  expect(at(170, 50, { tickets: [ticket(1, { look: 'new', arrival: undefined })] }).join('\n')).toMatch(
    /shop#1 .*· new/,
  );
});

test('calls a ticket whose worker was killed interrupted, never orphaned', () => {
  const tickets = [ticket(1, { look: 'interrupted', end: 'open' })];
  const text = at(120, 30, { tickets }).join('\n');
  expect(text).toMatch(/shop#1 .*! interrupted/);
  expect(text).not.toContain('orphan');
});

test('shows what moves rather than what has ended, and what ended last rather than first', () => {
  const tickets = scene().tickets.map((one, index) => (index === 0 ? { ...one, look: 'in-progress' as const } : one));
  const text = at(80, 24, { tickets }).join('\n');
  expect(text).toMatch(/shop#1 /);
  expect(text).toContain('shop#37');
  expect(text).not.toContain('shop#5 ');
  expect(text).toMatch(/GitHub .*and \d+ more/);
});

test('leaves out what people have closed', () => {
  const text = at(120, 30, { tickets: [ticket(1, { closed: true }), ticket(2)] }).join('\n');
  expect(text).not.toContain('shop#1 ');
  expect(text).not.toContain('more');
});

test('shows a title without its control characters', () => {
  const title = 'a\u001b[31mred\u001b[0m\u0007 one\nline \u009b2J';
  const lines = at(170, 24, { tickets: [ticket(1, { title })] });
  expect(lines.join('')).toMatch(/ared +one +line/);
  expect(lines.join('')).not.toMatch(/\p{Cc}/u);
});

test('paints whole pieces, so that no escape code is cut', () => {
  const marked: Paint = (_, text) => `<${text}>`;
  for (const line of renderScene(scene(), { columns: 40, rows: 24 }, marked)) {
    expect(line.split('<')).toHaveLength(line.split('>').length);
    expect(line.replaceAll(/[<>]/g, '').length).toBeLessThan(40);
  }
});
