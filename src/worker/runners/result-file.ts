/**
 * What a command left in the file for its result. The command is over, but what it left there is not to be trusted: only a
 * regular file in its own place is read, no more of it than a result may have, and nothing in it can make us wait.
 */
import { constants, type FileHandle, open } from 'node:fs/promises';
import { type ParsedResult, parseRunResult } from '../../domain/run-result.ts';
import { messageOf } from '../../foundation/errors.ts';

const MOST_BYTES = 64 * 1024;

/** Undefined when there is no such file: a command need not say anything. Never rejects. */
export async function readResultFile(
  file: string,
  redact: (text: string) => string,
): Promise<ParsedResult | undefined> {
  let handle: FileHandle;
  try {
    // Without O_NONBLOCK the opening of a FIFO waits for somebody who writes into it.
    handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT') return undefined;
    return refused(code === 'ELOOP' ? 'is a symbolic link' : `cannot be opened (${code ?? messageOf(error)})`);
  }
  try {
    if (!(await handle.stat()).isFile()) return refused('is not a regular file');
    const { buffer, bytesRead } = await handle.read({ buffer: Buffer.alloc(MOST_BYTES + 1), position: 0 });
    if (bytesRead > MOST_BYTES) return refused('is larger than 64 KiB');
    return parseRunResult(buffer.toString('utf8', 0, bytesRead), redact);
  } catch (error) {
    return refused(`cannot be read (${messageOf(error)})`);
  } finally {
    await handle.close();
  }
}

function refused(what: string): ParsedResult {
  return { ok: false, problem: `The result that the pipeline wrote ${what}.` };
}
