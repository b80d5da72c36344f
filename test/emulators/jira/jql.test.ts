import { expect, test } from 'vitest';
import type { JiraEmulator } from '../../../src/emulators/jira/jira-emulator.ts';
import { parseJql } from '../../../src/emulators/jira/jql.ts';
import { JqlError } from '../../../src/emulators/jira/jql-tokens.ts';
import { ask, runningEmulator } from './running-emulator.ts';

async function keysFor(jira: JiraEmulator, jql: string): Promise<string[]> {
  const response = await ask(jira)('/search/jql', { method: 'POST', body: { jql, fields: ['summary'] } });
  const { issues, errorMessages } = (await response.json()) as {
    issues?: { key: string }[];
    errorMessages?: string[];
  };
  if (issues === undefined) throw new Error(errorMessages?.join(' '));
  return issues.map(({ key }) => key);
}

test('strings keep what is escaped in them', () => {
  const { where } = parseJql(String.raw`labels = "a\"b\\c\u0041 ) OR 1=1" AND labels in ('x\'y', plain-word)`);
  expect(where).toEqual({
    kind: 'and',
    parts: [
      { kind: 'compare', field: 'labels', operator: '=', values: ['a"b\\cA ) OR 1=1'] },
      { kind: 'compare', field: 'labels', operator: 'in', values: ["x'y", 'plain-word'] },
    ],
  });
});

test('AND binds tighter than OR, and parentheses than both', () => {
  const shapeOf = (jql: string): unknown => {
    const { where } = parseJql(jql);
    return where?.kind === 'and' || where?.kind === 'or' ? [where.kind, where.parts.map(({ kind }) => kind)] : where;
  };
  expect(shapeOf('id = 1 OR id = 2 AND id = 3')).toEqual(['or', ['compare', 'and']]);
  expect(shapeOf('(id = 1 OR id = 2) AND NOT id = 3')).toEqual(['and', ['or', 'not']]);
});

test.each([
  ['labels = "open', 'has not been completed'],
  [String.raw`labels = "\x"`, 'illegal JQL escape sequence'],
  ['labels = fix)', "Expecting 'OR' or 'AND' but got ')'"],
  ['labels = ', 'Expecting either a value, list or function'],
  ['labels = in', 'surround'],
  ['labels fix', 'Expecting an operator'],
  ['labels = a?b', 'reserved JQL character'],
  ['labels = a ORDER key', "Expecting 'by'"],
])('%s is refused', (jql, words) => {
  expect(() => parseJql(jql)).toThrow(JqlError);
  expect(() => parseJql(jql)).toThrow(words);
});

test('labels are matched by letter case; what has none is never "not labelled so"', async () => {
  const jira = await runningEmulator();
  for (const labels of [['fix'], ['Fix'], [], ['fix', 'done']]) jira.openIssue('ABC', { labels });
  jira.openIssue('XYZ', { labels: ['fix'] });
  jira.setStatus('ABC-4', 'done');
  const found = await Promise.all(
    [
      'project = ABC AND labels = fix',
      'labels in (Fix, none)',
      'project = abc AND labels not in (fix)',
      'project = ABC AND (labels != fix OR labels IS EMPTY)',
      'project = ABC AND labels is not empty AND statusCategory != Done',
      'project in (ABC, XYZ) AND statusCategory = "To Do" AND labels = fix ORDER BY key DESC',
      'project = ABC AND updated >= -10m AND key > ABC-2',
      'project = ABC AND updated <= -10m',
    ].map((jql) => keysFor(jira, jql)),
  );
  expect(found).toEqual([
    ['ABC-1', 'ABC-4'],
    ['ABC-2'],
    ['ABC-2'],
    ['ABC-2', 'ABC-3'],
    ['ABC-1', 'ABC-2'],
    ['XYZ-1', 'ABC-1'],
    ['ABC-3', 'ABC-4'],
    [],
  ]);
});

test.each([
  ['colour = red', "Field 'colour' does not exist"],
  ['labels > fix', "The operator '>' is not supported by the 'labels' field"],
  ['statusCategory = Somewhere', 'does not exist for the field'],
  ['key > ABC-99', "An issue with key 'ABC-99' does not exist"],
  ['updated >= "2026/01/01"', 'is invalid'],
  ['project = ABC ORDER BY rank', "Not able to sort using field 'rank'"],
])('%s is refused by its meaning', async (jql, words) => {
  await expect(keysFor(await runningEmulator(), jql)).rejects.toThrow(words);
});
