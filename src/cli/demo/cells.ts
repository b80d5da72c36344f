/**
 * Lines made of pieces: cut to their place first, painted last, so that no escape code is ever cut. No text of a ticket
 * reaches the terminal with its control characters.
 */
import { stripVTControlCharacters } from 'node:util';
import { printable } from '../process.ts';

export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'blue' | 'magenta' | 'cyan';
/** Colours a text, or leaves it as it is. */
export type Paint = (styles: readonly Style[], text: string) => string;

export interface Cell {
  readonly text: string;
  readonly styles?: readonly Style[];
}

const segmenter = new Intl.Segmenter();

/** A line as text, no wider than this. */
export function lay(line: readonly Cell[], width: number, paint: Paint): string {
  return cutLine(line, width)
    .map(({ text, styles = [] }) => (styles.length === 0 ? text : paint(styles, text)))
    .join('');
}

/** A line that is exactly this wide, so that another one can stand beside it. */
export function fitLine(line: readonly Cell[], width: number): Cell[] {
  const cut = cutLine(line, width);
  const used = cut.reduce((sum, { text }) => sum + widthOf(text), 0);
  return [...cut, { text: ' '.repeat(width - used) }];
}

/** A text in a column with a gap behind it. */
export function column(text: string, width: number): string {
  if (width <= 0) return '';
  const cut = cutTo(text, width - 2);
  return cut + ' '.repeat(width - widthOf(cut));
}

/** Untrusted text, fit for a terminal. */
export function clean(text: string): string {
  return printable(stripVTControlCharacters(text));
}

export function widestOf(texts: readonly string[]): number {
  return Math.max(0, ...texts.map(widthOf));
}

function cutLine(line: readonly Cell[], width: number): Cell[] {
  let left = width;
  return line.flatMap((cell) => {
    const text = cutTo(cell.text, left);
    left -= widthOf(text);
    return text === '' ? [] : [{ ...cell, text }];
  });
}

function cutTo(text: string, width: number): string {
  const characters = charactersOf(text);
  if (characters.length <= width) return text;
  const kept = characters.slice(0, Math.max(0, width - 1)).join('');
  return width <= 0 ? '' : `${kept.trimEnd()}…`;
}

/** Every character counts as one column: true for our samples, which hold no wide ones. */
function widthOf(text: string): number {
  return charactersOf(text).length;
}

function charactersOf(text: string): string[] {
  return Array.from(segmenter.segment(text), ({ segment }) => segment);
}
