/**
 * Writes what others know of the schema that the server checks with: `schema/agentsmith.schema.json` for editors, and
 * `values.schema.json` for Helm. `--check` writes nothing and exits 1 if a file on disk is not what would be written.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { configJsonSchema } from '../src/config/json-schema.ts';
import { chartValuesSchema } from './chart-values.ts';

const SCHEMAS = {
  'schema/agentsmith.schema.json': configJsonSchema(),
  'helm/agentsmith/values.schema.json': chartValuesSchema(),
};

for (const [name, schema] of Object.entries(SCHEMAS)) {
  const file = new URL(`../${name}`, import.meta.url);
  const fresh = `${JSON.stringify(schema, undefined, 2)}\n`;
  if (!process.argv.includes('--check')) {
    await writeFile(file, fresh);
  } else if ((await readFile(file, 'utf8').catch(() => '')) !== fresh) {
    console.error(`${name} is out of date: run node scripts/generate-schema.ts`);
    process.exitCode = 1;
  }
}
