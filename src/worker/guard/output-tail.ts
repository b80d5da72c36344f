/**
 * The last part of what a command printed, free of secrets. It is kept in the guard, so that neither memory nor the
 * pipe to the worker grows with the output.
 */
import { StringDecoder } from 'node:string_decoder';
import { createStreamRedactor } from '../../foundation/redactor.ts';

export interface OutputTail {
  /** Adds an output stream and returns where its chunks go. Streams are merged in order of arrival. */
  stream(): (chunk: Buffer) => void;
  /** The tail as text: at most `limitBytes` of UTF-8, beginning at a character. To be called once, at the end. */
  finish(): string;
}

export interface OutputTailOptions {
  readonly limitBytes: number;
  readonly secrets: readonly string[];
}

export function createOutputTail({ limitBytes, secrets }: OutputTailOptions): OutputTail {
  let kept: Buffer[] = [];
  let keptBytes = 0;
  const flushes: (() => void)[] = [];

  const keep = (text: string): void => {
    if (text === '') return;
    const bytes = Buffer.from(text);
    kept.push(bytes);
    keptBytes += bytes.length;
    // Cut in strides of the limit, so that many small chunks do not each pay for a copy of the whole tail.
    if (keptBytes < 2 * limitBytes) return;
    kept = [Buffer.from(Buffer.concat(kept).subarray(-limitBytes))];
    keptBytes = limitBytes;
  };

  return {
    stream() {
      // A character or a secret is cut within one stream, never across two: each has its own decoder and redactor.
      const decoder = new StringDecoder('utf8');
      const redactor = createStreamRedactor(secrets);
      flushes.push(() => keep(redactor.push(decoder.end()) + redactor.end()));
      return (chunk) => keep(redactor.push(decoder.write(chunk)));
    },
    finish() {
      for (const flush of flushes) flush();
      return endOf(Buffer.concat(kept), limitBytes);
    },
  };
}

/** The text with a line of ours at its end, within the same limit. */
export function withLastLine(tail: string, line: string, limitBytes: number): string {
  const own = tail === '' || tail.endsWith('\n') ? line : `\n${line}`;
  return endOf(Buffer.from(`${tail}${own}\n`), limitBytes);
}

function endOf(text: Buffer, limitBytes: number): string {
  return text.subarray(characterStart(text, Math.max(0, text.length - limitBytes))).toString();
}

/** The first index from `from` on that does not lie inside a UTF-8 character. */
function characterStart(bytes: Buffer, from: number): number {
  let index = from;
  while (((bytes[index] ?? 0) & 0b1100_0000) === 0b1000_0000) index += 1;
  return index;
}
