/**
 * The ids of traces and spans, from names that every process knows: nothing is stored, nothing has to be handed on, and
 * nothing can be lost. `printf %s RUN | sha256sum | cut -c1-32` is the trace of a run.
 */
import { createHash, randomBytes } from 'node:crypto';

/** 32 hexadecimal digits. */
export function traceIdOf(trace: string): string {
  return digest(trace).slice(0, 32);
}

/** 16 hexadecimal digits; random ones without a key. */
export function spanIdOf(trace: string, key: string | undefined): string {
  return key === undefined ? randomBytes(8).toString('hex') : digest(`${trace}/${key}`).slice(0, 16);
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
