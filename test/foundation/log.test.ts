import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { createLog, type Log } from '../../src/foundation/log.ts';
import { createRedactor } from '../../src/foundation/redactor.ts';

const SECRET = 'ghp_secret-of-the-tests';
/** Stands escaped in JSON, and indented in a stack for people. */
const AWKWARD = 'pa"ss\\word\nline two';

async function written(options: { level?: string; isTTY?: boolean }, write: (log: Log) => void): Promise<string> {
  const destination = Object.assign(new PassThrough(), { isTTY: options.isTTY ?? false });
  write(createLog({ level: options.level ?? 'info', redactor: createRedactor([SECRET, AWKWARD]), destination }));
  destination.end();
  return await text(destination);
}

test('elsewhere than on a terminal each line is JSON with a static message and fields', async () => {
  const lines = await written({}, (log) => log.child({ role: 'poller' }).info({ epoch: 7 }, 'leading'));
  expect(JSON.parse(lines)).toEqual({ level: 30, time: expect.any(String), role: 'poller', epoch: 7, msg: 'leading' });
});

test('on a terminal it is text for people', async () => {
  const lines = await written({ isTTY: true }, (log) => log.info({ epoch: 7 }, 'leading'));
  expect(lines).toContain('leading');
  expect(() => JSON.parse(lines) as unknown).toThrow(SyntaxError);
});

test('the level decides what is written', async () => {
  const write = (log: Log): void => {
    log.debug('small');
    log.warn('large');
  };
  expect(await written({ level: 'info' }, write)).not.toContain('small');
  expect(await written({ level: 'debug' }, write)).toContain('small');
  expect(await written({ level: 'silent' }, write)).toBe('');
});

test.each([false, true])('a secret inside anything that is logged does not get out (terminal: %s)', async (isTTY) => {
  const lines = await written({ isTTY }, (log) => {
    log.error({ error: `401 for Bearer ${SECRET}`, err: new Error(`token ${SECRET}`) }, 'request failed');
    log.child({ token: SECRET }).warn(SECRET);
  });
  expect(lines).toContain('[redacted]');
  expect(lines).not.toContain(SECRET);
});

test.each([false, true])('nor does one with quotes and line breaks (terminal: %s)', async (isTTY) => {
  const lines = await written({ isTTY }, (log) => {
    log.error({ error: `401 for ${AWKWARD}`, err: new Error(`token ${AWKWARD}`) }, 'request failed');
    log.child({ token: AWKWARD }).warn(AWKWARD);
  });
  expect(lines).toContain('[redacted]');
  expect(lines).not.toMatch(/pa.{0,2}ss|word|line two/);
});

test('a full disk, or a reader that is gone, ends nothing', () => {
  const destination = new PassThrough();
  createLog({ level: 'info', redactor: createRedactor(), destination }).info('lost');
  expect(() => destination.emit('error', new Error('ENOSPC'))).not.toThrow();
});
