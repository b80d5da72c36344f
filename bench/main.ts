/**
 * `npm run bench`: what a claim, a webhook and an idle poll cost on this machine, beside a baseline of the same run; with
 * `--sizing` what tickets and replicas take of Redis. Nothing is
 * judged: exit 1 means that something did not work, not that it was slow.
 */
import { parseArgs } from 'node:util';
import { openEmbeddedRedis } from '../src/cli/dev.ts';
import { messageOf } from '../src/foundation/errors.ts';
import { benchAcknowledgements } from './acknowledgements.ts';
import { benchClaims, type ClaimBenchOptions } from './claim-service.ts';
import { benchDeliveryToStart } from './delivery-to-start.ts';
import { allowedIntervalSeconds, benchIdlePoll } from './idle-poll.ts';
import { benchPlatforms } from './platforms.ts';
import { connect, lookAround } from './redis.ts';
import { type BenchResult, formatReport, summarise } from './report.ts';
import { benchSizing } from './sizing.ts';
import { formatSizing } from './sizing-report.ts';

/**
 * What a replica should run with. On a large machine V8 lets garbage grow far beyond the 60 MB that a thousand projects
 * need: a young generation of 128 MB alone, and it gives little of it back.
 */
const NODE_OPTIONS = '--max-semi-space-size=4 --max-old-space-size=256';

const HELP = `npm run bench -- [--sizing] [--quick | --full] [--json] [--node-options OPTIONS]
  --quick                 a smoke run of some seconds; its numbers mean little
  --full                  watches a whole second poll cycle, not a window of it (about four minutes)
  --sizing                nothing of all that: the memory that tickets take in Redis, and what idle replicas ask of it
  --json                  the numbers as JSON
  --node-options OPTIONS  for the polling replica; default: ${NODE_OPTIONS}`;

const SIZES = {
  normal: {
    concurrency: 100,
    rounds: 5,
    claimsPerRound: 15_000,
    addsPerRound: 40_000,
    projects: 1_000,
    single: 11,
    backlog: 2_000,
    webhooks: {
      rounds: 7,
      deliveries: [
        { connections: 50, perRound: 6_000 },
        { connections: 1, perRound: 2_000 },
      ],
    },
    started: 150,
  },
  quick: {
    concurrency: 100,
    rounds: 1,
    claimsPerRound: 1_000,
    addsPerRound: 3_000,
    projects: 50,
    single: 3,
    backlog: 40,
    webhooks: {
      rounds: 1,
      deliveries: [
        { connections: 50, perRound: 1_000 },
        { connections: 1, perRound: 200 },
      ],
    },
    started: 10,
  },
};
const WINDOW_SECONDS = { quick: 2, normal: 35 };
/** The namespace of the replica: its queue is not that of the claims. */
const POLLING = 'bench-polling';

interface Flags {
  readonly quick: boolean;
  readonly full: boolean;
  readonly nodeOptions: string;
}

async function bench(flags: Flags): Promise<BenchResult> {
  const startedMs = performance.now();
  const redis = await openEmbeddedRedis(process.env);
  try {
    const machine = await lookAround(redis.url);
    await knownNamespace(redis.url, POLLING);
    const { projects, single, backlog, webhooks, started, ...rest } = flags.quick ? SIZES.quick : SIZES.normal;
    const platforms = await benchPlatforms({
      redisUrl: redis.url,
      namespaceOf: (platform) => knownNamespace(redis.url, `bench-${platform}`),
      single,
      backlog,
    });
    const acknowledged = await benchAcknowledgements({ redisUrl: redis.url, ...webhooks });
    const toStart = await benchDeliveryToStart({
      redisUrl: redis.url,
      namespace: await knownNamespace(redis.url, 'bench-started'),
      deliveries: started,
    });
    const claimOptions: ClaimBenchOptions = { redisUrl: redis.url, ...rest };
    let claims: BenchResult['claims'] | undefined;
    const idlePoll = await benchIdlePoll({
      redisUrl: redis.url,
      namespace: POLLING,
      projects,
      windowSeconds: flags.full ? allowedIntervalSeconds(projects) : WINDOW_SECONDS[flags.quick ? 'quick' : 'normal'],
      nodeOptions: flags.nodeOptions,
      // Between the cold cycle and the window; the replica goes on polling a few projects a second, for both alike.
      meanwhile: async () => {
        claims = summarise(await benchClaims(claimOptions), claimOptions);
      },
    });
    if (claims === undefined) throw new Error('the claims were not measured');
    const seconds = (performance.now() - startedMs) / 1000;
    return { machine, claims, platforms, webhooks: { acknowledged, toStart }, idlePoll, seconds };
  } finally {
    await redis.stop();
  }
}

/** Makes a namespace known to Redis: a replica that finds none waits, as after a loss of data. */
async function knownNamespace(redisUrl: string, namespace: string): Promise<string> {
  const redis = await connect(redisUrl, namespace);
  await redis.close();
  return namespace;
}

const withMaps = (_key: string, value: unknown): unknown => (value instanceof Map ? Object.fromEntries(value) : value);

try {
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean', default: false },
      full: { type: 'boolean', default: false },
      sizing: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
      'node-options': { type: 'string', default: NODE_OPTIONS },
    },
  });
  if (values.help) {
    console.log(HELP);
  } else {
    const { quick, full, sizing, json, 'node-options': nodeOptions } = values;
    const show = <T>(result: T, format: (result: T) => string): void =>
      console.log(json ? JSON.stringify(result, withMaps, 2) : format(result));
    if (sizing) show(await benchSizing({ quick, nodeOptions }), formatSizing);
    else show(await bench({ quick, full, nodeOptions }), formatReport);
  }
} catch (error) {
  console.error(`bench: ${messageOf(error)}`);
  process.exitCode = 1;
}
