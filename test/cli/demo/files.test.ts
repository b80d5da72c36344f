/** The pipeline of the demo, run by itself: what it says of a ticket is a result that goes into the closing comment. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { writeDemoFiles } from '../../../src/cli/demo/files.ts';
import { FAILS_MARK } from '../../../src/cli/demo/tickets.ts';
import { parseRunResult } from '../../../src/domain/run-result.ts';

test.for([
  ['well', 'It breaks', 0, 'All tests pass.'],
  ['with a failure', FAILS_MARK, 1, 'A test still fails.'],
] as const)('a pipeline that ends %s says so in its result', async ([, text, code, summary]) => {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'demo-test-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const { ledger } = await writeDemoFiles({ dir, sites: [], hooked: [], beats: { least: 0, most: 0 } });
  const result = path.join(dir, 'result.json');
  const { status } = spawnSync('sh', [path.join(dir, 'pipeline.sh')], {
    input: JSON.stringify({ title: text }),
    env: {
      PATH: process.env['PATH'],
      LEDGER: ledger,
      LEAST_BEATS: '0',
      MOST_BEATS: '0',
      AGENTSMITH_RUN_ID: '01J',
      AGENTSMITH_ATTEMPT: '1',
      AGENTSMITH_TICKET_URL: 'http://127.0.0.1:1/org/api/issues/7',
      AGENTSMITH_RESULT_FILE: result,
    },
  });
  expect(status).toBe(code);
  expect(parseRunResult(readFileSync(result, 'utf8'))).toEqual({ ok: true, result: { summary, links: [] } });
});
