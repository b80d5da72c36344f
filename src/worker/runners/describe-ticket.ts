/** The ticket and the attempt as runners tell them to what does the work. Fields are added, never renamed. */
import type { DescribedRequest } from './command-environment.ts';

export function ticketFields({ ticket, code, ...attempt }: DescribedRequest) {
  const { open: _, ...described } = ticket;
  const { run, attempt: number, fence, project, pipeline, platform } = attempt;
  return { ...described, source: code, project, pipeline, platform, run, attempt: number, fence };
}

/**
 * As one line of JSON. With `mostBytes` (of UTF-8) a body that is too long for it is cut at a character, and the field `truncated: true` says so.
 */
export function describeTicket(request: DescribedRequest, mostBytes = Number.POSITIVE_INFINITY): string {
  const input = ticketFields(request);
  const whole = lineOf(input);
  if (sizeOf(whole) <= mostBytes) return whole;
  const without = sizeOf(lineOf({ ...input, body: '', truncated: true }));
  return lineOf({ ...input, body: cutToFit(input.body, mostBytes - without), truncated: true });
}

/** As much of the text as fits when it is written in JSON, where an escaped character takes up to six bytes. */
function cutToFit(text: string, mostBytes: number): string {
  let fits = 0;
  let tooLong = text.length;
  while (tooLong - fits > 1) {
    const middle = Math.floor((fits + tooLong) / 2);
    if (sizeOf(JSON.stringify(text.slice(0, middle))) - 2 <= mostBytes) fits = middle;
    else tooLong = middle;
  }
  const cut = text.slice(0, fits);
  // Half a surrogate pair is no character.
  return cut.isWellFormed() ? cut : cut.slice(0, -1);
}

function lineOf(input: object): string {
  return `${JSON.stringify(input)}\n`;
}

function sizeOf(text: string): number {
  return Buffer.byteLength(text);
}
