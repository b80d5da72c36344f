/** Long lines on a terminal are broken at spaces. What is piped keeps one line for each fact, so that it can be searched. */

/** Below it a column of text is harder to read than a line that the terminal breaks. */
const NARROWEST_COLUMN = 24;

/** Of standard output; without end when it is no terminal. */
export function outputWidth(): number {
  return process.stdout.columns ?? Number.POSITIVE_INFINITY;
}

/**
 * @param indent where its text begins: nothing before that column is broken, and what does not fit goes on there.
 * @param width a word that is longer stands out.
 */
export function wrapLine(line: string, indent: number, width: number): string[] {
  if (line.length <= width || width - indent < NARROWEST_COLUMN) return [line];
  const fitting = line.lastIndexOf(' ', width);
  const cut = fitting > indent ? fitting : line.indexOf(' ', Math.max(width, indent));
  if (cut < 0) return [line];
  return [line.slice(0, cut), ...wrapLine(`${' '.repeat(indent)}${line.slice(cut + 1)}`, indent, width)];
}
