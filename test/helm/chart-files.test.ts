/** What can be said of the chart without Helm: its version, its schema, its pages. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { chartValuesSchema } from '../../scripts/chart-values.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const read = (file: string): string => readFileSync(path.join(ROOT, file), 'utf8');

test('the version is the one of the package', () => {
  const { version } = JSON.parse(read('package.json')) as { version: string };
  expect(parse(read('helm/agentsmith/Chart.yaml'))).toMatchObject({ version, appVersion: version });
});

test('the schema of the values on disk is the one that the code generates', () => {
  expect(JSON.parse(read('helm/agentsmith/values.schema.json'))).toEqual(
    JSON.parse(JSON.stringify(chartValuesSchema())),
  );
});

test('the chart takes the same names for those of secrets as the server', () => {
  const [, pattern = ''] = /^const SECRET_NAME =\s+\/(.+)\/i;$/m.exec(read('src/config/secrets.ts')) ?? [];
  expect(pattern).toContain('TOKEN');
  expect(read('helm/agentsmith/templates/_checks.tpl')).toContain(`"(?i)${pattern}"`);
});

test('values.yaml shows every value that the schema knows', () => {
  const shown = read('helm/agentsmith/values.yaml');
  const known = Object.keys(chartValuesSchema().properties ?? {}).filter((key) => key !== 'global');
  expect(known.length).toBeGreaterThan(30);
  expect(known.filter((key) => !new RegExp(`^(# )?${key}:`, 'm').test(shown))).toEqual([]);
});
