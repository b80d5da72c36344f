/** The numbers as a person reads them: value, unit, spread, and in one line what each of them means. */
import type { ClaimBenchOptions, ClaimRound } from './claim-service.ts';
import type { IdlePollResult } from './idle-poll.ts';
import type { PlatformResult } from './platforms.ts';

export interface Machine {
  readonly cores: number;
  readonly cpu: string;
  readonly memoryGiB: number;
  readonly platform: string;
  readonly node: string;
  readonly redis: string;
}

export interface Measured {
  readonly value: number;
  /** Smallest and largest of the rounds. */
  readonly spread: readonly [number, number];
}

export interface BenchResult {
  readonly machine: Machine;
  readonly claims: {
    readonly concurrency: number;
    readonly rounds: readonly ClaimRound[];
    readonly claimsPerSecond: Measured;
    readonly addsPerSecond: Measured;
    readonly ratio: Measured;
  };
  readonly platforms: readonly PlatformResult[];
  readonly idlePoll: IdlePollResult;
  readonly seconds: number;
}

export function summarise(rounds: readonly ClaimRound[], { concurrency }: ClaimBenchOptions): BenchResult['claims'] {
  return {
    concurrency,
    rounds,
    claimsPerSecond: measured(rounds.map((round) => round.claimsPerSecond)),
    addsPerSecond: measured(rounds.map((round) => round.addsPerSecond)),
    ratio: measured(rounds.map((round) => round.ratio)),
  };
}

function measured(values: readonly number[]): Measured {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (index: number): number => sorted[index] ?? Number.NaN;
  return { value: at(Math.floor(sorted.length / 2)), spread: [at(0), at(sorted.length - 1)] };
}

export function formatReport({ machine, claims, platforms, idlePoll, seconds }: BenchResult): string {
  const { cold, warm, residentBytes } = idlePoll;
  const spread = ({ spread: [low, high] }: Measured, show: (value: number) => string): string =>
    `(${show(low)} - ${show(high)})`;
  const mebibytes = (bytes: number): string => (bytes / 2 ** 20).toFixed(0);
  const perRequest = (warm.cpuSeconds * 1000) / Math.max(1, warm.notModified);
  return [
    `Agent Smith bench: ${machine.cores} cores (${machine.cpu}), ${machine.memoryGiB} GiB, ${machine.platform}, ` +
      `Node ${machine.node}, Redis ${machine.redis}`,
    '',
    `Claims: ${claims.concurrency} under way, median of ${claims.rounds.length} rounds (least - most)`,
    ...table([
      [
        'claims',
        whole(claims.claimsPerSecond.value),
        '/s',
        spread(claims.claimsPerSecond, whole),
        'whole claims of distinct tickets, platform in memory',
      ],
      [
        'raw queue.add',
        whole(claims.addsPerSecond.value),
        '/s',
        spread(claims.addsPerSecond, whole),
        'BullMQ alone, same Redis, in turns with the claims',
      ],
      [
        'claims / add',
        claims.ratio.value.toFixed(2),
        '',
        spread(claims.ratio, (value) => value.toFixed(2)),
        'within one round; aim at least 0.25',
      ],
    ]),
    '',
    ...platformLines(platforms),
    '',
    `Idle polling: ${idlePoll.projects} projects, one token, each polled every ${idlePoll.intervalSeconds} s ` +
      `(900 points a minute), window of ${warm.windowSeconds.toFixed(0)} s in the second cycle`,
    ...table([
      [
        'paid requests',
        whole(warm.paidRequests),
        '',
        '',
        'listings answered other than 304 since the first cycle; aim 0',
      ],
      ['304', whole(warm.notModified), '', `of ${warm.polls} polls`, 'listings in the window that cost nothing'],
      [
        'CPU',
        warm.cpuSecondsPerCycle.toFixed(1),
        's/cycle',
        `${perRequest.toFixed(1)} ms each`,
        'of the replica, scaled from the polls in the window to one of each project',
      ],
      [
        'memory',
        mebibytes(residentBytes.window),
        'MiB',
        `peak ${mebibytes(residentBytes.peak)}`,
        'resident in the window; peak since the start; aim below 200 MB',
      ],
      [
        'first cycle',
        cold.seconds.toFixed(1),
        's',
        `${cold.cpuSeconds.toFixed(1)} s CPU`,
        `${whole(cold.paidRequests)} paid requests: nothing is known yet, and repair looks round`,
      ],
    ]),
    `The replica ran with NODE_OPTIONS="${idlePoll.nodeOptions}" and a warm NODE_COMPILE_CACHE.`,
    '',
    `${seconds.toFixed(0)} s in all`,
  ].join('\n');
}

const whole = (value: number): string => Math.round(value).toLocaleString('en');

/** One line for each platform: requests, and times beside what they are compared with. */
function platformLines(platforms: readonly PlatformResult[]): string[] {
  const [first] = platforms;
  const columns = [
    ['', 'idle cycle', 'a claim', 'label to start', 'backlog', 'bound', 'ratio'],
    ...platforms.map(({ platform, perIdleCycle, perClaim, labelToStartSeconds, backlog }) => [
      platform,
      `${perIdleCycle.paid.toFixed(1)} + ${perIdleCycle.notModified.toFixed(1)}`,
      `${perClaim.read.toFixed(2)} + ${perClaim.label.toFixed(2)}`,
      `${labelToStartSeconds.toFixed(2)} s`,
      `${backlog.seconds.toFixed(1)} s`,
      `${backlog.boundSeconds.toFixed(1)} s`,
      (backlog.seconds / backlog.boundSeconds).toFixed(2),
    ]),
  ];
  const widths = columns[0]?.map((_, column) => Math.max(...columns.map((row) => row[column]?.length ?? 0))) ?? [];
  return [
    `Platforms: one replica and one emulator each, polled every second; ${first?.backlog.tickets ?? 0} tickets at once`,
    ...columns.map((row) => ` ${row.map((cell, column) => cell.padStart(widths[column] ?? 0)).join('  ')}`),
    ' idle cycle: requests paid + answered 304; a claim: reads + label writes; label to start: median, poll wait included;',
    ' bound: latency x requests / claims at once, every answer after 100 ms; aim at most 1.30',
  ];
}

/** Columns: name, value, unit, spread, meaning. Numbers end where numbers end. */
function table(rows: readonly (readonly [string, string, string, string, string])[]): string[] {
  const width = (column: 0 | 1 | 2 | 3): number => Math.max(...rows.map((row) => row[column].length));
  return rows.map(([name, value, unit, spread, meaning]) =>
    [
      ` ${name.padEnd(width(0))}`,
      value.padStart(width(1)),
      unit.padEnd(width(2)),
      spread.padEnd(width(3)),
      meaning,
    ].join('  '),
  );
}
