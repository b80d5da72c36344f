/** The query language of the emulator: what it finds decides what the adapter's tests prove. */
import { expect, test } from 'vitest';
import { parseWiql, type Queried } from '../../../src/emulators/azuredevops/wiql.ts';

const item = (id: number, state: string, tags: string[], project = 'Shop'): Queried => ({
  id,
  tags,
  fields: { 'System.State': state, 'System.TeamProject': project, 'System.Title': `Number ${id}` },
});

const ITEMS = [
  item(1, 'New', ['fix', 'urgent']),
  item(2, 'Closed', ['Fix']),
  item(3, 'Active', ['fix-later']),
  item(4, 'New', ["x') OR 1=1"]),
  item(5, 'Closed', ['other'], "O'Hara's"),
];

function idsOf(where: string, project?: string): number[] {
  const { matches, compare } = parseWiql(`SELECT [System.Id], [System.Title] FROM WorkItems ${where}`, project);
  return ITEMS.filter(matches)
    .toSorted(compare)
    .map(({ id }) => id);
}

test.each([
  ['', [1, 2, 3, 4, 5]],
  ["WHERE [System.State] = 'new'", [1, 4]],
  ["WHERE [System.State] <> 'New'", [2, 3, 5]],
  ["where System.State in ('New', 'Active')", [1, 3, 4]],
  ["WHERE [System.State] NOT IN ('New', 'Active')", [2, 5]],
  ['WHERE [System.Id] > 1 AND [System.Id] <= 3', [2, 3]],
  ["WHERE [System.Id] IN (1, '5')", [1, 5]],
  ["WHERE [System.Tags] CONTAINS 'urgent'", [1]],
  ["WHERE NOT [System.Tags] CONTAINS 'fix'", [4, 5]],
  ["WHERE [System.TeamProject] = 'O''Hara''s'", [5]],
  ['WHERE [System.TeamProject] = "O\'Hara\'s"', [5]],
  ['WHERE [System.Title] CONTAINS "BER 3" ORDER BY [System.Id] DESC', [3]],
  ["WHERE [System.State] = 'New' ORDER BY [System.State], [System.Id] DESC", [4, 1]],
] as const)('%s', (where, ids) => {
  expect(idsOf(where)).toEqual(ids);
});

test('AND binds tighter than OR, and parentheses change that', () => {
  const clauses = ["[System.Tags] CONTAINS 'urgent'", "[System.Tags] CONTAINS 'fix'", "[System.State] = 'Closed'"];
  expect(idsOf(`WHERE ${clauses[0]} OR ${clauses[1]} AND ${clauses[2]}`)).toEqual([1, 2]);
  expect(idsOf(`WHERE (${clauses[0]} OR ${clauses[1]}) AND ${clauses[2]}`)).toEqual([2]);
});

test('a quote that is not doubled breaks out, as it does on the real one', () => {
  const injected = "WHERE ([System.Tags] CONTAINS 'x') OR ([System.Id] > 0)";
  expect(idsOf(injected)).toEqual([1, 2, 3, 4, 5]);
  expect(() => idsOf("WHERE ([System.Tags] CONTAINS 'x') OR 1=1')")).toThrow(/caused by/);
  expect(idsOf("WHERE ([System.Tags] CONTAINS 'x'') OR 1=1')")).toEqual([4]);
});

test('@project is the one in the address', () => {
  expect(idsOf('WHERE [System.TeamProject] = @project AND [System.Id] < 3', 'shop')).toEqual([1, 2]);
  expect(() => idsOf('WHERE [System.TeamProject] = @project')).toThrow('needs a project');
});

test.each([
  'WHERE',
  'WHERE [System.State]',
  "WHERE [System.State] = 'New' AND",
  "WHERE ([System.State] = 'New'",
  "WHERE [System.State] = 'New')",
  "WHERE [System.State] LIKE 'New'",
  "WHERE [System.Tags] = 'fix'",
  "WHERE [Custom.Field] = 'x'",
  'WHERE [System.State] IN ()',
  "WHERE [System.Id] > 'x'",
  "WHERE [System.State] = 'New' ORDER [System.Id]",
  "WHERE [System.State] = 'New",
  'WHERE [System.State] = @me',
  "WHERE [System.State] = 'New'; DROP",
])('%s is refused', (where) => {
  expect(() => idsOf(where)).toThrow(/Expect|caused by|exist|emulator|number/);
});
