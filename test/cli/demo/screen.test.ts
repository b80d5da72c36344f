/** The demo's picture fits every window and shows no control character of a ticket. */
import { expect, test } from 'vitest';
import type { TicketView } from '../../../src/cli/demo/board.ts';
import { type Paint, renderScene, type Scene } from '../../../src/cli/demo/screen.ts';

const plain: Paint = (_, text) => text;

function ticket(number: number, facts: Partial<TicketView> = {}): TicketView {
  return {
    ticket: `acme/shop#${number}`,
    name: `shop#${number}`,
    title: `Title ${number} that is longer than a narrow window has room for`,
    pipeline: 'security-scan',
    look: 'done',
    why: '',
    end: 'done',
    life: undefined,
    sinceMs: number,
    asked: 1,
    closed: false,
    ...facts,
  };
}

function scene(facts: Partial<Scene> = {}): Scene {
  const replica = { pid: 4711, state: 'up', leads: ['poller'], activeRuns: 3, problem: undefined } as const;
  return {
    nowMs: 60_000,
    elapsedMs: 60_000,
    replicas: [
      { name: 'alpha', ...replica },
      { name: 'beta', ...replica, state: 'killed', pid: undefined },
    ],
    tickets: Array.from({ length: 30 }, (_, index) => ticket(index + 1)),
    news: Array.from({ length: 20 }, (_, index) => ({ atMs: index, text: `shop#${index} is done`, tone: 'good' })),
    verdict: { tickets: 30, done: 28, failed: 1, open: ['shop#1'], doubled: [] },
    kills: 2,
    keys: true,
    ...facts,
  };
}

test.each([
  [80, 24],
  [140, 45],
  [300, 100],
  [50, 16],
  [20, 10],
  [8, 4],
])('fits a window of %i x %i', (columns, rows) => {
  const lines = renderScene(scene(), { columns, rows }, plain);
  expect(lines.length).toBeLessThan(rows);
  for (const line of lines) expect(line.length).toBeLessThan(columns);
});

test('says who leads, who was killed, how tickets stand and what just happened', () => {
  const text = renderScene(scene(), { columns: 100, rows: 40 }, plain).join('\n');
  expect(text).toMatch(/● alpha .*pid 4711 .*leads polling .*3 at work/);
  expect(text).toMatch(/✖ beta .*killed/);
  expect(text).toMatch(/shop#30 .*security-scan .*✔ done/);
  expect(text).toContain('shop#19 is done');
  expect(text).toMatch(/30 tickets .*28 done .*1 failed .*1 to go .*0 doubled .*2 kills survived/);
});

test('shows what moves rather than what has ended, and what ended last rather than first', () => {
  const tickets = scene().tickets.map((one, index) => (index === 0 ? { ...one, look: 'in-progress' as const } : one));
  const text = renderScene(scene({ tickets }), { columns: 80, rows: 24 }, plain).join('\n');
  expect(text).toMatch(/shop#1 .*in progress/);
  expect(text).toContain('shop#30');
  expect(text).not.toContain('shop#2 ');
  expect(text).toMatch(/and \d+ more/);
});

test('leaves out what people have closed', () => {
  const tickets = [ticket(1, { closed: true }), ticket(2)];
  const text = renderScene(scene({ tickets }), { columns: 80, rows: 24 }, plain).join('\n');
  expect(text).not.toContain('shop#1 ');
  expect(text).not.toContain('more');
});

test('shows a title without its control characters', () => {
  const title = 'a\u001b[31mred\u001b[0m\u0007 one\nline \u009b2J';
  const lines = renderScene(scene({ tickets: [ticket(1, { title })] }), { columns: 100, rows: 24 }, plain);
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
