/**
 * Writes `schema/agentsmith.schema.json` from the schema that the server checks with, so that editors know every key.
 * `--check` writes nothing and exits 1 if the file on disk is not what would be written.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { configJsonSchema } from '../src/config/json-schema.ts';

const file = new URL('../schema/agentsmith.schema.json', import.meta.url);
const fresh = `${JSON.stringify(configJsonSchema(), undefined, 2)}\n`;

if (process.argv.includes('--check')) {
  const current = await readFile(file, 'utf8').catch(() => '');
  if (current !== fresh) {
    console.error('schema/agentsmith.schema.json is out of date: run node scripts/generate-schema.ts');
    process.exitCode = 1;
  }
} else {
  await writeFile(file, fresh);
}
