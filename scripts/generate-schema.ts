/**
 * Writes the files that are made of code: what others know of the schema that the server checks with, for editors and for
 * Helm, and the dashboard. `--check` writes nothing and exits 1 if a file on disk is not what would be written.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { configJsonSchema } from '../src/config/json-schema.ts';
import { chartValuesSchema } from './chart-values.ts';
import { grafanaDashboard } from './grafana-dashboard.ts';

const FILES = {
  'schema/agentsmith.schema.json': configJsonSchema(),
  'helm/agentsmith/values.schema.json': chartValuesSchema(),
  'helm/agentsmith/files/dashboard.json': grafanaDashboard(),
};

for (const [name, content] of Object.entries(FILES)) {
  const file = new URL(`../${name}`, import.meta.url);
  const fresh = `${JSON.stringify(content, undefined, 2)}\n`;
  if (!process.argv.includes('--check')) {
    await writeFile(file, fresh);
  } else if ((await readFile(file, 'utf8').catch(() => '')) !== fresh) {
    console.error(`${name} is out of date: run node scripts/generate-schema.ts`);
    process.exitCode = 1;
  }
}
