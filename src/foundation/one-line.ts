/** Text of others, made fit for one line of a log, a reason or a note. */
import { withoutInvisible } from './invisible.ts';

const MOST_CHARACTERS = 500;

/** Without control and invisible characters, each run of white space one blank, and cut at a character border. */
export function oneLine(text: string, most: number = MOST_CHARACTERS): string {
  const clean = withoutInvisible(text.toWellFormed()).replaceAll(/[\s\p{Cc}]+/gu, ' ');
  return Array.from(clean.trim()).slice(0, most).join('');
}
