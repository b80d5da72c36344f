/** What the examples show as configuration is taken, and names files that are there. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { runnersIn } from '../../src/config/pipelines.ts';
import { load } from '../config/load-text.ts';

const EXAMPLES = new URL('../../examples/', import.meta.url);
const read = (name: string): string => readFileSync(new URL(name, EXAMPLES), 'utf8');

interface Shown {
  readonly pipelines: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

/** The pipelines in the YAML files and YAML blocks of the examples. */
function shown(): { name: string; pipeline: Readonly<Record<string, unknown>> }[] {
  const files = readdirSync(EXAMPLES, { recursive: true, encoding: 'utf8' });
  const texts = files.flatMap((name) => {
    if (name.endsWith('.yml')) return [{ name, text: read(name) }];
    if (!name.endsWith('.md')) return [];
    return [...read(name).matchAll(/^```yaml\n([\s\S]*?)^```$/gm)].map(([, text = '']) => ({ name, text }));
  });
  return texts.flatMap(({ name, text }) =>
    Object.values((parse(text) as Shown).pipelines).map((pipeline) => ({ name, pipeline })),
  );
}

test('there is one for each kind of runner, and each names exactly one', () => {
  const kinds = shown().map(({ pipeline }) => runnersIn(pipeline));
  expect(kinds.every((kind) => kind.length === 1)).toBe(true);
  expect(kinds.flat().toSorted()).toEqual(['command', 'http', 'kubernetes_job']);
});

test('a whole file loads as it stands', async () => {
  const config = await load(read('kubernetes-job/agentsmith.yml'), { GITHUB_TOKEN: 'a-token' });
  expect(config.catalog.projects).toMatchObject([{ name: 'my-api' }]);
});

test('programs of the examples that a command names are there', () => {
  const commands = shown().flatMap(({ pipeline }) => (pipeline['command'] as string[] | undefined) ?? []);
  const ours = commands.filter((word) => word.startsWith('./examples/'));
  expect(ours).not.toEqual([]);
  for (const program of ours) expect(existsSync(fileURLToPath(new URL(`../${program}`, EXAMPLES)))).toBe(true);
});
