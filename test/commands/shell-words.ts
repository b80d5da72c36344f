/** As much of a shell as documentation needs: the simple commands of a block, each as its words, with its own variables filled in. */

const TOKEN = new RegExp(
  [
    String.raw`(?<gap>(?:[^\S\n]|\\\n)+)`,
    String.raw`(?<comment>(?<![^\s;|&])#[^\n]*)`,
    String.raw`(?<end>\n|&&|\|\|?|;)`,
    String.raw`'(?<literal>[^']*)'`,
    String.raw`"(?<text>(?:\\[^]|[^"\\])*)"`,
    String.raw`(?<piece>\$\([^)]*\)|\\.|[^\s'"\\|;&]+|&)`,
  ].join('|'),
  'gy',
);
const ASSIGNMENT = /^([A-Za-z_]\w*)=(.*)$/s;

/** Without comments. `NAME=value` before a command, or alone, sets a variable from there on; those in small letters are filled in. */
export function commandsIn(block: string, variables = new Map<string, string>()): string[][] {
  const filledIn = (text: string): string =>
    text.replace(/\$([a-z]\w*)/g, (whole, name: string) => variables.get(name) ?? whole);
  return linesOfWords(block, filledIn, (words) => {
    const command = [...words];
    for (let found = ASSIGNMENT.exec(command[0] ?? ''); found !== null; found = ASSIGNMENT.exec(command[0] ?? '')) {
      const [, name = '', value = ''] = found;
      variables.set(name, value);
      command.shift();
    }
    return command;
  }).filter((command) => command.length > 0);
}

function linesOfWords(
  block: string,
  filledIn: (text: string) => string,
  finish: (words: readonly string[]) => string[],
): string[][] {
  const commands: string[][] = [];
  let words: string[] = [];
  let word: string | undefined;
  const endWord = (): void => {
    if (word !== undefined) words.push(word);
    word = undefined;
  };
  const endCommand = (): void => {
    endWord();
    commands.push(finish(words));
    words = [];
  };
  let at = 0;
  for (const token of block.matchAll(TOKEN)) {
    if (token.index !== at) break;
    at += token[0].length;
    const { literal, text, piece, end, gap } = token.groups ?? {};
    if (literal !== undefined) word = (word ?? '') + literal;
    else if (text !== undefined) word = (word ?? '') + filledIn(text.replace(/\\([^])/g, '$1'));
    else if (piece !== undefined) word = (word ?? '') + filledIn(piece);
    else if (gap !== undefined) endWord();
    else if (end !== undefined) endCommand();
  }
  if (at !== block.length) throw new Error(`not understood as shell, from: ${block.slice(at)}`);
  endCommand();
  return commands;
}
