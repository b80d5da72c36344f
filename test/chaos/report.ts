/** A chaos run in words: the table of faults, what was seen, the problems, the last line, and how to see it again. */
import { tableLines } from '../../src/cli/table.ts';
import type { ChaosResult } from './run.ts';
import { type ChaosSettings, replayCommand } from './settings.ts';
import { isPlayed, type Problem, type Verdict } from './verdict.ts';

/** Faults that hit nothing prove nothing. */
const LEAST_SHARE_AT_WORK = 0.3;

/** Every promise was kept, and enough was tried to say so. */
export function isGood(result: ChaosResult): boolean {
  return isUnbroken(result) && !hitsTooLittle(result.verdict);
}

/** Every promise was kept in whatever happened. */
export function isUnbroken({ verdict, crashes }: ChaosResult): boolean {
  return verdict.problems.length === 0 && crashes.length === 0;
}

export function describeResult(result: ChaosResult, settings: ChaosSettings): string[] {
  const { verdict, crashes, dir } = result;
  return [
    ...tableLines(faultRows(result)),
    '',
    ...tableLines([
      ['commands that ended by themselves', String(verdict.ended)],
      ['commands that were ended by a fault', String(verdict.gone)],
      ['ends that nobody was left to write down, made once more', String(verdict.repeated)],
      ['wishes that had to be said again', String(verdict.saidAgain)],
      ['commands that began beside a frozen one', String(verdict.besideFrozen)],
      ['faults that hit work under way', `${verdict.hitWork} of ${verdict.faults}`],
      ['moments in which the machine itself stood still', String(verdict.machine)],
      ['wall time', `${(result.wallMs / 1000).toFixed(0)} s at scale ${settings.scale}`],
    ]),
    ...crashes,
    ...verdict.problems.map(({ kind, page, text }) => `${kind}: ${page}: ${text}`),
    ...(hitsTooLittle(verdict) ? ['too few faults hit work under way: this run proves little'] : []),
    ...(dir === undefined ? [] : [`logs and data are kept in ${dir}`]),
    `again: ${replayCommand(settings)}`,
    lastLine(verdict),
  ];
}

function lastLine({ tickets, faults, problems, labelEdits }: Verdict): string {
  const count = (kind: Problem['kind']): number => problems.filter((problem) => problem.kind === kind).length;
  const kept = labelEdits - count('label');
  return (
    `chaos: ${tickets} tickets, ${faults} faults, ${count('lost')} lost, ${count('overlapping')} overlapping, ` +
    `${count('finished-twice')} finished twice, ${kept} human labels kept`
  );
}

function hitsTooLittle({ faults, hitWork }: Verdict): boolean {
  return hitWork < faults * LEAST_SHARE_AT_WORK;
}

function faultRows(result: ChaosResult): string[][] {
  const faults = result.faults.filter(isPlayed);
  const names = [...new Set(faults.map(({ kind, name }) => `${kind}\t${name}`))].sort();
  const rows = names.map((both) => {
    const [kind = '', name = ''] = both.split('\t');
    const such = faults.filter((fault) => fault.kind === kind && fault.name === name);
    const atWork = such.filter(({ hitWork }) => hitWork).length;
    return [kind, name, String(such.length), String(atWork)];
  });
  return [['kind', 'fault', 'times', 'hit work'], ...rows];
}
