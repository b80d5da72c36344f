import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { pino } from 'pino';
import { describe, expect, onTestFinished, test } from 'vitest';
import { now } from '../../../src/foundation/clock.ts';
import type { Log } from '../../../src/foundation/log.ts';
import { createRedactor } from '../../../src/foundation/redactor.ts';
import { createGuard, type Guard } from '../../../src/worker/guard/guard.ts';
import { type CommandRequest, createCommandRunner } from '../../../src/worker/runners/command-runner.ts';
import type { RunnerHandle } from '../../../src/worker/runners/runner.ts';
import { until } from '../../support/until.ts';
import { guardOf, isAlive, openGuard, PATIENT, pidsIn, program } from '../guard/processes.ts';
import { requestFor, toldOf } from './requests.ts';

const HOST = { PATH: process.env.PATH, API_KEY: 'key-of-the-server', GIT_TOKEN: 'token-for-the-command' };

async function openRunner(
  own?: Guard,
  log: Log = pino({ level: 'silent' }),
): Promise<{ start: (request: CommandRequest) => RunnerHandle; tempFolder: string }> {
  const guard = own ?? (await openGuard());
  const tempFolder = mkdtempSync(path.join(os.tmpdir(), 'runner-test-'));
  onTestFinished(() => rmSync(tempFolder, { recursive: true, force: true }));
  const runner = createCommandRunner(
    { guard, log, redactor: createRedactor(['secret-of-the-config']) },
    { hostEnv: HOST, tempFolder },
  );
  return { start: (request) => runner.start(request), tempFolder };
}

const shell = (script: string): { program: string; args: string[] } => ({ program: 'sh', args: ['-c', script] });

test('a command gets the whole ticket on standard input, whatever is in it', async () => {
  const { start } = await openRunner();
  const title = `NUL \0 and ${'long '.repeat(40 * 1024)}`;
  const request = requestFor({ ticket: { title, body: 'line\nline "quoted"' }, command: shell('tail -c 600; exit 0') });
  const { outputTail } = await start(request).ended;
  expect(outputTail).toContain('"body":"line\\nline \\"quoted\\""');

  const count = await start({
    ...request,
    attempt: 3,
    command: { ...request.command, ...shell('wc -c; printenv AGENTSMITH_TICKET_TITLE | wc -c') },
  }).ended;
  const [inputBytes, titleBytes] = count.outputTail.trim().split('\n').map(Number);
  expect(inputBytes).toBeGreaterThan(200 * 1024);
  // 1 KiB and the line break of printenv.
  expect(titleBytes).toBe(1025);
});

test('standard input is one line of JSON with ticket, source and attempt', async () => {
  const { start } = await openRunner();
  const request = requestFor({ command: { program: 'cat' } });
  const end = await start(request).ended;
  expect(end.kind).toBe('exited');
  expect(JSON.parse(end.outputTail)).toEqual(toldOf(request));
});

test('a command sees nothing of the environment of the server but what it was given', async () => {
  const { start } = await openRunner();
  const command = { program: 'env', env: { MODE: 'careful' }, passEnv: ['GIT_TOKEN'] };
  const { outputTail } = await start(requestFor({ command })).ended;
  expect(outputTail).toContain('MODE=careful\n');
  expect(outputTail).toContain('GIT_TOKEN=[redacted]\n');
  expect(outputTail).toContain('AGENTSMITH_PIPELINE=fix-bug\n');
  expect(outputTail).not.toContain('API_KEY');
  expect(outputTail).not.toContain('NODE_CHANNEL_FD');
});

test('secrets of the configuration do not show in the output', async () => {
  const { start } = await openRunner();
  const command = { program: 'node', args: [program('byte-by-byte.mjs'), 'a secret-of-the-config b', ''] };
  expect(await start(requestFor({ command })).ended).toMatchObject({ outputTail: 'a [redacted] b' });
});

test('the working folder is a fresh one, and gone afterwards with everything in it', async () => {
  const { start, tempFolder } = await openRunner();
  const { ended } = start(requestFor({ command: shell('mkdir -p a/b && touch a/b/c && pwd && ls -A') }));
  const { outputTail } = await ended;
  const [folder = '', ...content] = outputTail.trim().split('\n');
  expect(path.dirname(path.dirname(folder))).toBe(tempFolder);
  expect(content).toEqual(['a']);
  expect(readdirSync(tempFolder)).toEqual([]);
});

test('a working folder that was given is used and stays', async () => {
  const { start, tempFolder } = await openRunner();
  await start(requestFor({ command: { ...shell('touch made-here'), cwd: tempFolder } })).ended;
  expect(readdirSync(tempFolder)).toEqual(['made-here']);
});

describe('the result file', () => {
  const LINK = { title: 'Pull request 12', url: 'https://github.com/org/api/pull/12' };
  const says = (result: unknown): string => `printf '%s' '${JSON.stringify(result)}' >"$AGENTSMITH_RESULT_FILE"`;

  test.for([
    ['exit code 0', 'exit 0', { kind: 'exited', code: 0 }],
    ['another exit code', 'exit 3', { kind: 'exited', code: 3 }],
    ['a signal', 'kill -KILL $$', { kind: 'signalled', signal: 'SIGKILL' }],
  ] as const)('is read whatever the end: %s', async ([, ending, end]) => {
    const { start, tempFolder } = await openRunner();
    const result = { summary: 'Fixed it.', links: [LINK] };
    const command = shell(`${says(result)}; ${ending}`);
    expect(await start(requestFor({ command })).ended).toEqual({ ...end, outputTail: '', result });
    expect(readdirSync(tempFolder)).toEqual([]);
  });

  test('need not be written, and is not in a working folder that people share', async () => {
    const { start, tempFolder } = await openRunner();
    const silent = await start(requestFor({ command: shell('test ! -e "$AGENTSMITH_RESULT_FILE"') })).ended;
    expect(silent).toEqual({ kind: 'exited', code: 0, outputTail: '' });
    const shared = { ...shell(`${says({ summary: 'Done.' })}; ls -A`), cwd: tempFolder };
    const end = await start(requestFor({ command: shared })).ended;
    expect(end).toMatchObject({ result: { summary: 'Done.', links: [] } });
    expect(end.outputTail).toMatch(/^agent-smith-\w+\n$/);
    expect(readdirSync(tempFolder)).toEqual([]);
  });

  test('says nothing for a command that was stopped or took too long: it may be half written', async () => {
    const { start } = await openRunner();
    const { ended } = start(
      requestFor({ command: shell(`${says({ summary: 'Nearly.' })}; sleep 60`), timeoutMs: 500 }),
    );
    expect(await ended).toEqual({ kind: 'timed-out', timeoutMs: 500, outputTail: '' });
  });

  test.for([
    ['text', 'echo Fixed >"$F"', 'is not JSON'],
    ['a result that is none', `echo '{"links": 7}' >"$F"`, 'has links that are no list'],
    ['too much', 'head -c 65537 /dev/zero >"$F"', 'is larger than 64 KiB'],
    ['a symbolic link', 'echo {} >other; ln -s "$PWD/other" "$F"', 'is a symbolic link'],
    ['a FIFO that nobody writes into', 'mkfifo "$F"', 'is not a regular file'],
    ['a folder', 'mkdir "$F"', 'is not a regular file'],
  ] as const)('%s in its place changes no end: a note is in the output and in the log', async ([, act, problem]) => {
    const lines: Record<string, unknown>[] = [];
    const log = pino(
      { level: 'warn' },
      { write: (line) => void lines.push(JSON.parse(line) as Record<string, unknown>) },
    );
    const { start, tempFolder } = await openRunner(undefined, log);
    const command = shell(`F=$AGENTSMITH_RESULT_FILE; printf 'all well'; ${act}`);
    expect(await start(requestFor({ command })).ended).toEqual({
      kind: 'exited',
      code: 0,
      outputTail: `all well\nagent-smith: The result that the pipeline wrote ${problem}.\n`,
    });
    expect(lines).toMatchObject([
      { msg: 'result of the pipeline is not usable', problem: expect.stringContaining(problem) },
    ]);
    expect(readdirSync(tempFolder)).toEqual([]);
  });

  test('holds no secret of the configuration and none that the command was given', async () => {
    const { start } = await openRunner();
    const link = { title: 'secret-of-the-config', url: 'https://ci.corp/?key=token-for-the-command' };
    const command = {
      ...shell(says({ summary: 'It is token-for-the-command.', links: [link] })),
      passEnv: ['GIT_TOKEN'],
    };
    const { result } = await start(requestFor({ command })).ended;
    expect(result?.summary).toBe('It is [redacted].');
    expect(result?.links).toEqual([{ title: '[redacted]', url: 'https://ci.corp/?key=[redacted]' }]);
  });

  test('names no other place, whatever the pipeline sets', async () => {
    const { start } = await openRunner();
    const command = { ...shell(says({ summary: 'Here.' })), env: { AGENTSMITH_RESULT_FILE: '/dev/null' } };
    expect(await start(requestFor({ command })).ended).toMatchObject({ result: { summary: 'Here.' } });
  });
});

test('a command that takes too long is ended with its whole group, however stubborn', async () => {
  const { start, tempFolder } = await openRunner();
  const ledger = path.join(tempFolder, 'ledger');
  const command = { program: 'sh', args: [program('stubborn-tree.sh'), ledger] };
  const { ended } = start(requestFor({ command, timeoutMs: 1_000 }));

  expect(await ended).toMatchObject({ kind: 'timed-out', timeoutMs: 1_000 });
  expect(pidsIn(ledger)).toHaveLength(3);
  expect(pidsIn(ledger).filter(isAlive)).toEqual([]);
});

test('a timeout beyond the longest timer is no timeout at once', async () => {
  const { start } = await openRunner();
  const { ended } = start(requestFor({ command: shell('exit 4'), timeoutMs: 2 ** 40 }));
  expect(await ended).toMatchObject({ kind: 'exited', code: 4 });
});

test('a stopped command says why, also when the stop comes before it has started', async () => {
  const { start, tempFolder } = await openRunner();
  const ledger = path.join(tempFolder, 'ledger');
  const command = { program: 'sh', args: [program('ledger.sh'), ledger] };

  const early = start(requestFor({ command }));
  early.stop('cancelled');
  early.stop('drained');
  expect(await early.ended).toEqual({ kind: 'stopped', reason: 'cancelled', outputTail: '' });
  expect(pidsIn(ledger)).toEqual([]);

  const late = start(requestFor({ command }));
  await until('it runs', () => pidsIn(ledger).length > 0);
  late.stop('drained');
  expect(await late.ended).toMatchObject({ kind: 'stopped', reason: 'drained' });
});

test('an attempt whose guard died is lost, which says nothing about the pipeline', async () => {
  const { start, tempFolder } = await openRunner();
  const ledger = path.join(tempFolder, 'ledger');
  const { ended } = start(requestFor({ command: { program: 'sh', args: [program('ledger.sh'), ledger] } }));
  await until('it runs', () => pidsIn(ledger).length > 0);
  process.kill(guardOf(ledger), 'SIGKILL');
  expect(await ended).toMatchObject({ kind: 'lost', reason: 'guard-lost' });
});

test.for([
  ['at once', '/dev/null/node', 'spawn ENOTDIR'],
  ['a moment later', '/no/such/node', 'spawn /no/such/node ENOENT'],
] as const)(
  'a guard that cannot be started, which Node says %s: the attempt is lost, the next one tries again',
  async ([, node, problem]) => {
    const guard = createGuard({ log: pino({ level: 'silent' }), timing: PATIENT });
    onTestFinished(() => guard.close());
    const { start, tempFolder } = await openRunner(guard);
    const { execPath } = process;
    onTestFinished(() => {
      process.execPath = execPath;
    });
    process.execPath = node;
    const first = start(requestFor());
    first.beat(now());
    expect(await first.ended).toEqual({
      kind: 'lost',
      reason: `The guard process could not be started: ${problem}`,
      outputTail: '',
    });
    expect(readdirSync(tempFolder)).toEqual([]);
    first.stop('drained');
    process.execPath = execPath;
    expect(await start(requestFor()).ended).toMatchObject({ kind: 'exited', code: 0 });
  },
);

test.for([
  ['a missing program', { program: '/no/such/program' }, /program \/no\/such\/program does not exist/],
  ['a missing working folder', { cwd: '/no/such/folder' }, /working folder \/no\/such\/folder does not exist/],
  ['a NUL in the env of the pipeline', { env: { MODE: 'a\0b' } }, /sets MODE to a value with a NUL/],
  ['an env larger than the system takes', { env: { MODE: 'x'.repeat(1024 * 1024) } }, /larger than this system allows/],
] as const)('%s is an answer, not an error', async ([, command, sentence]) => {
  const { start } = await openRunner();
  expect(await start(requestFor({ command })).ended).toEqual({
    kind: 'not-started',
    reason: expect.stringMatching(sentence),
    outputTail: '',
  });
});

test('without a place for temporary folders the command does not start', async () => {
  const { start, tempFolder } = await openRunner();
  rmSync(tempFolder, { recursive: true });
  expect(await start(requestFor()).ended).toMatchObject({
    kind: 'not-started',
    reason: expect.stringMatching(/^No temporary folder could be made: ENOENT/),
  });
});
