/** docs/kubernetes.md: what it shows is tried. Commands run as they stand there, unless their first line says what they need. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { describe, expect, onTestFinished, test } from 'vitest';
import { parse } from 'yaml';
import { helmIsHere, refusalOf } from './helm.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const page = await readFile(path.join(ROOT, 'docs/kubernetes.md'), 'utf8');
const blocksOf = (language: string): readonly string[] =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\n([^]*?)^\`\`\``, 'gm'))].map(([, text = '']) => text);

const commands = blocksOf('sh');
const values = blocksOf('yaml');
const isForOthers = (block: string): boolean => block.startsWith('# needs ');

test('commands that are not marked are few, and need no cluster', () => {
  expect(commands.length).toBeGreaterThan(5);
  expect(values.length).toBeGreaterThan(5);
  const own = commands.filter((block) => !isForOthers(block));
  expect(own.filter((block) => /kubectl|docker|upgrade|install|rollback/.test(block))).toEqual([]);
});

describe.skipIf(!helmIsHere)('with helm', () => {
  test.each(values.map((block) => [block.split('\n', 1)[0] ?? '', block]))(
    'the values %s render',
    async (_first, block) => {
      expect(await refusalOf(parse(block, { version: '1.1' }))).toBe('');
    },
  );

  test.each(commands.filter((block) => !isForOthers(block)))('the commands run: %s', async (block) => {
    const folder = await mkdtemp(path.join(os.tmpdir(), 'agent-smith-page-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    await writeFile(path.join(folder, 'my-values.yaml'), values[0] ?? '');
    const script = block.replaceAll('my-values.yaml', path.join(folder, 'my-values.yaml'));
    const bin = path.join(ROOT, 'node_modules', '.bin');
    const env = { PATH: [bin, process.env['PATH']].join(path.delimiter) };
    const { stdout } = await execa('sh', ['-ec', script], { cwd: ROOT, env });
    expect(stdout).toContain('kind: Deployment\nmetadata:\n  name: agentsmith\n');
  });
});

test('the commands speak of the Deployment that the release has', () => {
  const deployments = new Set([...page.matchAll(/deployment\/([a-z-]+)/g)].map(([, name]) => name));
  expect(deployments).toEqual(new Set(['agentsmith']));
});
