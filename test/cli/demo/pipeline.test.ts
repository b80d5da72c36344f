/** The pipeline of the demo, run by itself: what it says of a ticket is a result that goes into the closing comment. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { type Pipeline, REPLICA_VARIABLE, writePipeline } from '../../../src/cli/demo/pipeline.ts';
import { FAILS_MARK } from '../../../src/cli/demo/tickets.ts';
import { parseRunResult } from '../../../src/domain/run-result.ts';

const PAGE = 'http://127.0.0.1:1/org/api/issues/7';

async function openFolder(): Promise<{ readonly dir: string; readonly pipeline: Pipeline }> {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'demo-test-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return { dir, pipeline: await writePipeline(dir, { least: 0, most: 0 }) };
}

/** As a command or the service gives it the ticket. */
function play({ command: [program, ...args], env }: Pipeline, body: string, result: string): number | null {
  const source = { type: 'GitHub', url: 'http://127.0.0.1:1/org/api' };
  const ticket = { id: '7', url: PAGE, title: 'It breaks', body, source, pipeline: 'fix-bug', run: '01J', attempt: 2 };
  return spawnSync(program, args, {
    input: JSON.stringify({ type: 'agentsmith.run.requested', ...ticket, fence: 1 }),
    env: { PATH: process.env['PATH'], ...env, [REPLICA_VARIABLE]: 'alpha', AGENTSMITH_RESULT_FILE: result },
  }).status;
}

test.for([
  ['well', 'Every time.', 0, 'All tests pass.'],
  ['with a failure', FAILS_MARK, 1, 'A test still fails.'],
] as const)('a pipeline that ends %s says so in its result', async ([, body, code, summary]) => {
  const { dir, pipeline } = await openFolder();
  const result = path.join(dir, 'result.json');
  expect(play(pipeline, body, result)).toBe(code);
  expect(parseRunResult(readFileSync(result, 'utf8'))).toEqual({ ok: true, result: { summary, links: [] } });
});

test('its ledger names run, attempt, ticket and pipeline, whatever people wrote on the ticket', async () => {
  const { dir, pipeline } = await openFolder();
  play(pipeline, '{"url":"https://example.com","run":"another","attempt":9}', path.join(dir, 'result.json'));
  const lines = readFileSync(pipeline.ledger, 'utf8').trimEnd().split('\n');
  const facts = { run: '01J', attempt: 2, ticket: PAGE, pipeline: 'fix-bug', replica: 'alpha' };
  expect(lines.map((line): unknown => JSON.parse(line))).toEqual([
    { event: 'start', ...facts, pid: expect.any(Number) },
    { event: 'end', ...facts, pid: expect.any(Number), code: 0 },
  ]);
});

test('ends when its ledger is gone: the demo is over, and nobody may be left to end it', async () => {
  const { dir, pipeline } = await openFolder();
  const env = { ...pipeline.env, LEDGER: path.join(dir, 'gone', 'ledger.jsonl') };
  const result = path.join(dir, 'result.json');
  expect(play({ ...pipeline, env }, 'Every time.', result)).not.toBe(0);
  expect(existsSync(result)).toBe(false);
});
