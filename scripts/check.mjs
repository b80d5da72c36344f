/**
 * `npm run check`: everything that can be said about the code without running the product. All parts run at once; each
 * shows its output when it fails, and the last line says which did.
 */
import { spawn } from 'node:child_process';

const PARTS = {
  types: ['tsc', '--project', '.'],
  lint: ['oxlint', '--type-aware', '--deny-warnings'],
  format: ['biome', 'check', '--error-on-warnings'],
  'dead code': ['knip'],
  architecture: ['vitest', 'run', 'test/architecture.test.ts'],
  schema: ['node', 'scripts/generate-schema.ts', '--check'],
};

/** Runs one part; the output is kept together so that the parts do not mix. */
function run([program, ...args]) {
  const startedAt = performance.now();
  return new Promise((resolve) => {
    let output = '';
    const end = (ok) => resolve({ ok, output, seconds: (performance.now() - startedAt) / 1000 });
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text) => (output += text));
    child.on('error', (error) => {
      output += `${error.message}\n`;
      end(false);
    });
    child.on('close', (code) => end(code === 0));
  });
}

const failed = [];
await Promise.all(
  Object.entries(PARTS).map(async ([name, command]) => {
    const { ok, output, seconds } = await run(command);
    if (!ok) {
      failed.push(name);
      process.stdout.write(`\n--- ${name}: ${command.join(' ')}\n${output.trimEnd()}\n`);
    }
    process.stdout.write(`${ok ? 'ok    ' : 'FAILED'} ${name} (${seconds.toFixed(1)} s)\n`);
  }),
);
process.stdout.write(failed.length === 0 ? 'check: all parts pass\n' : `check: failed: ${failed.join(', ')}\n`);
process.exitCode = failed.length === 0 ? 0 : 1;
