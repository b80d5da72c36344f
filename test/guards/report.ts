/** What the trials have shown: lines while they run, a table at the end, the same for docs/. */
import { tableLines } from '../../src/cli/table.ts';
import { fileOf } from './guard.ts';
import type { Trial } from './try-guard.ts';

export function trialLine({ guard, outcome, by, together, seconds }: Trial): string {
  const also = together === undefined ? '' : ` with ${together}`;
  return `${outcome.padEnd(8)} ${guard.name}${also} (${seconds.toFixed(1)} s)${by === '' ? '' : `: ${by}`}`;
}

export function closingLine(trials: readonly Trial[]): string {
  const count = (outcome: Trial['outcome']): number => trials.filter((trial) => trial.outcome === outcome).length;
  const errors = count('error');
  const line = `mutants: ${trials.length} guards, ${count('killed')} killed, ${count('survived')} survived`;
  return errors === 0 ? line : `${line}, ${errors} not tried`;
}

const HEADER = ['guard', 'removed from', 'killed by', 'seconds'];

export function tableOf(trials: readonly Trial[]): string {
  return tableLines([HEADER, ...trials.map(cellsOf)]).join('\n');
}

/** The table and the closing line as Markdown. */
export function markdownOf(trials: readonly Trial[]): string {
  const row = (cells: readonly string[]): string => `| ${cells.map(escapeCell).join(' | ')} |`;
  const rows = trials.map((trial) => row([...cellsOf(trial).slice(0, 3), trial.guard.keeps]));
  const header = [...HEADER.slice(0, 3), 'without it this would not hold'];
  return [row(header), row(header.map(() => '---')), ...rows, '', `\`${closingLine(trials)}\``, ''].join('\n');
}

function cellsOf({ guard, outcome, by, together, seconds }: Trial): string[] {
  const name = together === undefined ? guard.name : `${guard.name} with ${together}`;
  return [name, `src/${fileOf(guard)}`, outcome === 'killed' ? by : outcome.toUpperCase(), seconds.toFixed(1)];
}

const escapeCell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');
