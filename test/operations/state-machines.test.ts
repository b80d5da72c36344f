/** The diagrams name every state that the code names, and no other; their scripts and durations are those that there are. */
import { basename } from 'node:path';
import { describe, expect, test } from 'vitest';
import { DELIVERY_STATES } from '../../src/domain/delivery.ts';
import { MOST_DOUBTS } from '../../src/domain/label-table.ts';
import { RUN_STATES } from '../../src/domain/run.ts';
import { DEFAULT_TIMING as T } from '../../src/domain/timing.ts';
import { allMatches, pageText, productSources, section } from './pages.ts';

const page = pageText('docs/state-machines.md');
const HEADINGS = allMatches(page, /^## (.+)$/gm);

interface Arrow {
  readonly from: string;
  readonly to: string;
  readonly label: string;
}

function arrows(heading: string): Arrow[] {
  const [, block = ''] = /```mermaid\nstateDiagram-v2\n([\s\S]*?)```/.exec(section(page, heading)) ?? [];
  return [...block.matchAll(/^ {4}(\S+) --> ([^\s:]+)(?:: (.+))?$/gm)].map(([, from = '', to = '', label = '']) => ({
    from,
    to,
    label,
  }));
}

/** In mermaid no name may hold a hyphen. */
function states(heading: string): Set<string> {
  const ends = arrows(heading).flatMap(({ from, to }) => [from, to]);
  return new Set(ends.filter((name) => name !== '[*]').map((name) => name.replaceAll('_', '-')));
}

/** The words of a union type, `type Name = 'a' | 'b'`. */
function union(file: string, name: string): Set<string> {
  const [, body = ''] = new RegExp(`type ${name} =([^;]+);`).exec(pageText(file)) ?? [];
  return new Set(allMatches(body, /'([a-z-]+)'/g));
}

test('each section has one diagram that says something, and every line of it is understood', () => {
  expect(HEADINGS.length).toBeGreaterThan(10);
  for (const heading of HEADINGS) {
    const blocks = [...section(page, heading).matchAll(/```mermaid\nstateDiagram-v2\n([\s\S]*?)```/g)];
    expect([heading, blocks.length]).toEqual([heading, 1]);
    const lines = (blocks[0]?.[1] ?? '').trimEnd().split('\n');
    const described = lines.filter((line) => /^ {4}state "[\w -]+" as \w+$/.test(line)).length;
    expect([heading, arrows(heading).length + described]).toEqual([heading, lines.length]);
    // Mermaid ends a statement at a semicolon, and a name at a hyphen.
    expect([heading, lines.filter((line) => /[;#]|^ {4}\S*-\S* -->/.test(line))]).toEqual([heading, []]);
  }
});

test('every state can be reached, and no run of arrows ends in the air', () => {
  for (const heading of HEADINGS) {
    const all = arrows(heading);
    const reached = new Set(['[*]']);
    for (const _ of all) for (const { from, to } of all) if (reached.has(from)) reached.add(to);
    const names = new Set(all.flatMap(({ from, to }) => [from, to]));
    expect([heading, [...names].filter((name) => !reached.has(name))]).toEqual([heading, []]);
    expect([heading, [...names].filter((name) => !all.some(({ from }) => from === name))]).toEqual([heading, []]);
  }
});

test.each([
  ['A run', new Set<string>(RUN_STATES)],
  ['A delivery', new Set<string>(DELIVERY_STATES)],
  ['A label', union('src/domain/run.ts', 'LabelState')],
  ['The event engine `auto`', union('src/domain/project.ts', 'EngineKind')],
  ['A lease and its terms', new Set(allMatches(pageText('src/coordination/leader.ts'), /position: '(\w+)'/g))],
])('%s: the states in the code', (heading, inCode) => {
  expect(inCode.size).toBeGreaterThan(1);
  expect(states(heading)).toEqual(inCode);
});

test('an attempt ends in the ways that the code knows, and a command in those of its leash', () => {
  const [, ends = ''] = /export type AttemptEnd =([\s\S]*?);\n\n/.exec(pageText('src/worker/attempt.ts')) ?? [];
  const shown = arrows('An attempt, as its worker sees it').filter(({ to, label }) => to === '[*]' && label === '');
  expect(new Set(shown.map(({ from }) => from.replaceAll('_', '-')))).toEqual(
    new Set(allMatches(ends, /kind: '([a-z-]+)'/g)),
  );
  const signals = new Set(['term', 'kill', 'frozen'].map((state) => state.replace('frozen', 'freeze')));
  const leash = union('src/worker/guard/leash.ts', 'LeashSignal');
  expect([...signals].filter((signal) => !leash.has(signal))).toEqual([]);
  expect([...leash].filter((signal) => !['none', 'thaw', ...signals].includes(signal))).toEqual([]);
});

test('the reasons of a fallback are those of the engine', () => {
  const reasons = union('src/domain/project.ts', 'FallbackReason');
  const labels = arrows('The event engine `auto`')
    .filter(({ from }) => from === 'streaming')
    .map(({ label }) => label);
  expect(new Set(labels.map((label) => label.split(',')[0] ?? ''))).toEqual(reasons);
});

describe('scripts', () => {
  const scripts = productSources('src/redis/scripts/*.lua').map(({ file, text }) => ({
    name: basename(file, '.lua'),
    text,
  }));
  const labels = HEADINGS.flatMap(arrows).map(({ label }) => label);

  test('every script that writes the state of a run is at an arrow of the run', () => {
    const writes = /'state', (?:'(?:received|queued|running)'|ARGV\[3\])|end_run\(/;
    // A delivery has a state too, and no `sinceMs`.
    const acts = scripts.filter(({ name }) => name !== 'prelude');
    const writing = acts
      .filter(({ text }) => writes.test(text) && /sinceMs|end_run/.test(text))
      .map(({ name }) => name);
    expect(writing.length).toBeGreaterThan(5);
    const shown = arrows('A run').map(({ label }) => label);
    expect([...writing, 'restore-attempt'].filter((name) => !shown.some((label) => label.startsWith(name)))).toEqual(
      [],
    );
  });

  test('what begins an arrow with a verb and a hyphen is a script', () => {
    const known = new Set(scripts.map(({ name }) => name));
    const verbs = new Set([...known].map((name) => name.split('-')[0]));
    const named = labels
      .flatMap((label) => label.match(/\b[a-z]+-[a-z]+\b/g) ?? [])
      .filter((word) => verbs.has(word.split('-')[0]));
    expect(new Set(named).size).toBeGreaterThan(12);
    expect(named.filter((name) => !known.has(name))).toEqual([]);
  });
});

test('the durations at the arrows are those of the product', () => {
  const s = (ms: number): string => `${ms / 1000} s`;
  const trust = s(T.leaseTtlMs - T.leaseMarginMs);
  const expected: readonly (readonly [string, readonly string[]])[] = [
    ['A command under its guard', [s(T.trustTermMs), s(T.trustTermMs), s(T.trustKillMs), s(T.stopGraceMs)]],
    ['A label', [`${T.labelGiveUpMs / 3_600_000} h`]],
    ['A lease and its terms', [trust, s(T.leaseRenewMs), trust]],
    ['A delivery', [`${T.inboxGiveUpMs / 3_600_000} h`]],
    ['A ticket in the inbox', [s(T.inboxLeaseMs), s(T.inboxContendedMs), s(T.inboxRetryMs), s(T.inboxRetryMaxMs)]],
    ['After Redis lost data', [s(T.recoveryClaimsMs), s(T.recoveryStartsMs), s(T.recoveryRepairMs)]],
    ['The event engine `auto`', [s(T.engineDoubtMs)]],
  ];
  for (const [heading, durations] of expected) {
    const shown = arrows(heading).flatMap(({ label }) => label.match(/\b\d+ (?:s|h)\b/g) ?? []);
    expect([heading, shown]).toEqual([heading, durations]);
  }
  expect(arrows('A label').some(({ label }) => label.includes(`after ${MOST_DOUBTS} doubts`))).toBe(true);
  const claim = section(page, 'A claim').match(/\b\d+ s\b/g);
  expect(claim?.slice(0, 3)).toEqual([s(T.claimDeadlineMs), s(T.claimLockTtlMs), s(T.claimLockReserveMs)]);
});

test('every section links to the file that owns it', () => {
  for (const heading of HEADINGS) {
    expect([heading, /Owner: \[[a-z-]+\.ts\]\(\.\.\/src\//.test(section(page, heading))]).toEqual([heading, true]);
  }
});
