/** A campaign as tables for people: what was played, what was seen. Markdown, made from the lines of its file alone. */
import type { CampaignLine } from './campaign.ts';
import type { Problem } from './verdict.ts';

/** The summary, then the faults. */
export function describeCampaign(lines: readonly CampaignLine[]): string[] {
  const sum = (of: (line: CampaignLine) => number): number => lines.reduce((total, line) => total + of(line), 0);
  const problems = (kind: Problem['kind']): number =>
    sum((line) => line.problems.filter((problem) => problem.kind === kind).length);
  const faults = sum((line) => sumOf(line.faults));
  const hit = sum(({ hitWork }) => hitWork);
  const spread = (of: (line: CampaignLine) => number | string): string =>
    [...Map.groupBy(lines, of)]
      .map(([value, such]) => `${value} (${such.length})`)
      .sort()
      .join(', ');
  const replayed = lines.map(({ seed }) => seed);
  return [
    ...markdownTable([
      ['what', 'how much'],
      ['runs', `${lines.length}, seeds ${Math.min(...replayed)} to ${Math.max(...replayed)}`],
      ['ticket lifecycles (commands that ended by themselves)', grouped(sum(({ lifecycles }) => lifecycles))],
      ['tickets', grouped(sum(({ tickets }) => tickets))],
      ['faults', `${grouped(faults)}, of them ${grouped(hit)} hit work under way`],
      ['**lost**', String(problems('lost'))],
      ['**overlapping live runs**', String(problems('overlapping'))],
      ['**finished twice**', String(problems('finished-twice'))],
      ["edits of people's labels, lost ones", `${grouped(sum(({ labelEdits }) => labelEdits))}, ${problems('label')}`],
      ['commands that a fault ended', grouped(sum(({ endedByFault }) => endedByFault))],
      ['ends that nobody was left to write down, made once more', grouped(sum(({ repeated }) => repeated))],
      ['wishes that had to be said again', grouped(sum(({ saidAgain }) => saidAgain))],
      ['commands that began beside a frozen one', grouped(sum(({ besideFrozen }) => besideFrozen))],
      ['moments in which the machine itself stood still', grouped(sum(({ machine }) => machine))],
      ['time scale (runs)', spread(({ scale }) => scale)],
      ['replicas (runs)', spread(({ replicas }) => replicas)],
      ['version (runs)', spread(({ version }) => version)],
      ['wall time, summed over runs', `${(sum(({ wallMs }) => wallMs) / 3_600_000).toFixed(1)} h`],
    ]),
    '',
    ...markdownTable([['fault', 'times'], ...countFaults(lines).map(([name, count]) => [name, grouped(count)])]),
  ];
}

function countFaults(lines: readonly CampaignLine[]): [string, number][] {
  const counted = new Map<string, number>();
  for (const { faults } of lines) {
    for (const [name, count] of Object.entries(faults)) counted.set(name, (counted.get(name) ?? 0) + count);
  }
  return [...counted].sort(([a], [b]) => a.localeCompare(b));
}

function sumOf(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((total, count) => total + count, 0);
}

function grouped(count: number): string {
  return count.toLocaleString('en');
}

function markdownTable([head = [], ...rows]: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), `|${head.map(() => '---').join('|')}|`, ...rows.map(line)];
}
