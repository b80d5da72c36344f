/** The numbers as a person reads them: value, unit, spread, and in one line what each of them means. */
import type { Acknowledged } from './acknowledgements.ts';
import type { ClaimBenchOptions, ClaimRound } from './claim-service.ts';
import type { DeliveryToStart } from './delivery-to-start.ts';
import { grid, type Measured, measured, showSpread, table, whole } from './figures.ts';
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

export interface BenchResult {
  readonly machine: Machine;
  readonly claims: {
    readonly concurrency: number;
    readonly rounds: readonly ClaimRound[];
    readonly claimsPerSecond: Measured;
    readonly addsPerSecond: Measured;
    readonly ratio: Measured;
    readonly unaskedPerSecond: Measured;
    readonly admissionRatio: Measured;
  };
  readonly platforms: readonly PlatformResult[];
  readonly webhooks: { readonly acknowledged: readonly Acknowledged[]; readonly toStart: DeliveryToStart };
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
    unaskedPerSecond: measured(rounds.map((round) => round.unaskedPerSecond)),
    admissionRatio: measured(rounds.map((round) => round.admissionRatio)),
  };
}

export function formatReport({ machine, claims, platforms, webhooks, idlePoll, seconds }: BenchResult): string {
  const { cold, warm, residentBytes } = idlePoll;
  const mebibytes = (bytes: number): string => (bytes / 2 ** 20).toFixed(0);
  const perRequest = (warm.cpuSeconds * 1000) / Math.max(1, warm.notModified);
  return [
    formatMachine(machine),
    '',
    `Claims: ${claims.concurrency} under way, median of ${claims.rounds.length} rounds (least - most)`,
    ...table([
      [
        'claims',
        whole(claims.claimsPerSecond.value),
        '/s',
        showSpread(claims.claimsPerSecond, whole),
        'whole claims of distinct tickets, platform in memory',
      ],
      [
        'raw queue.add',
        whole(claims.addsPerSecond.value),
        '/s',
        showSpread(claims.addsPerSecond, whole),
        'BullMQ alone, same Redis, in turns with the claims',
      ],
      [
        'claims / add',
        claims.ratio.value.toFixed(2),
        '',
        showSpread(claims.ratio, (value) => value.toFixed(2)),
        'within one round; aim at least 0.25',
      ],
      [
        'without admission',
        whole(claims.unaskedPerSecond.value),
        '/s',
        showSpread(claims.unaskedPerSecond, whole),
        'the same claims, their commit asks nothing about backlog, caps and slots',
      ],
      [
        'with / without',
        claims.admissionRatio.value.toFixed(2),
        '',
        showSpread(claims.admissionRatio, (value) => value.toFixed(2)),
        'within one round; aim at least 0.90',
      ],
    ]),
    '',
    ...platformLines(platforms),
    '',
    ...webhookLines(webhooks),
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

export function formatMachine({ cores, cpu, memoryGiB, platform, node, redis }: Machine): string {
  return `Agent Smith bench: ${cores} cores (${cpu}), ${memoryGiB} GiB, ${platform}, Node ${node}, Redis ${redis}`;
}

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
  return [
    `Platforms: one replica and one emulator each, polled every second; ${first?.backlog.tickets ?? 0} tickets at once`,
    ...grid(columns),
    ' idle cycle: requests paid + answered 304; a claim: reads + label writes; label to start: median, poll wait included;',
    ' bound: latency x requests / claims at once, every answer after 100 ms; aim at most 1.30',
  ];
}

/** One line for each way to answer a delivery, at each number of connections. */
function webhookLines({ acknowledged, toStart }: BenchResult['webhooks']): string[] {
  const ratio = (value: number): string => value.toFixed(2);
  const columns = [
    ['', 'connections', 'acks/s', 'p50 ms', 'p99 ms', 'CPU us', 'of bare', '', 'sender'],
    ...acknowledged.map((result) => [
      result.candidate,
      whole(result.connections),
      whole(result.perSecond.value),
      result.p50Ms.value.toFixed(2),
      result.p99Ms.value.toFixed(2),
      whole(result.cpuMicroseconds.value),
      ratio(result.ratio.value),
      showSpread(result.ratio, ratio),
      `${whole(result.senderBusy.value * 100)} %`,
    ]),
  ];
  return [
    'Webhooks: signed deliveries of GitHub with bodies of 6 KB, all distinct; medians of the rounds (least - most)',
    ...grid(columns),
    ' bare: a Fastify route that checks the HMAC and keeps the body with one XADD; hint: goes into the inbox of its ticket,',
    ' where nobody works meanwhile; ignored: has no trigger label. Of bare: rate within one round; aim at least 0.60.',
    ' CPU: of the measured process per delivery; sender: how busy the process is that sends and measures.',
    '',
    `Delivery to start: p50 ${whole(toStart.p50Ms)} ms, p99 ${whole(toStart.p99Ms)} ms of ${toStart.deliveries} deliveries, one at a time; aim p50 below 10 ms`,
    ' from the sending to `started_utc` of the run, one replica on the emulated GitHub without latency',
  ];
}
