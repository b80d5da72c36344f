/**
 * A worker of the real rooms that stands still at chosen steps of an attempt (PROTOCOL 4), so that a test can kill it
 * right there. Arguments: config file, Redis URL, `{"<ticket>": "<step>"}` as JSON, time scale (0.1). Says `<ticket> <step>` on standard
 * output when a ticket has arrived at its step; heartbeats go on.
 *
 * A file name on standard input blocks the event loop until there is such a file, and then lets all tickets go on from
 * their steps, before anything else happens: as if the loop had been blocked right there. Says `blocked`, and `quiet`
 * when everything that was at work has ended.
 */
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { loadConfig } from '../../../src/config/load.ts';
import { DEFAULT_TIMING, scaleTiming } from '../../../src/domain/timing.ts';
import { createFindings } from '../../../src/foundation/findings.ts';
import { createLog } from '../../../src/foundation/log.ts';
import { sleep } from '../../../src/foundation/loop.ts';
import { createRedactor } from '../../../src/foundation/redactor.ts';
import { createLabelWriter } from '../../../src/labels/label-writer.ts';
import type { TicketPlatform } from '../../../src/platforms/contract.ts';
import { connectGitHub } from '../../../src/platforms/github/adapter.ts';
import { createRateLimits, type RateLimits } from '../../../src/platforms/rate-limits.ts';
import { createTransport } from '../../../src/platforms/transport.ts';
import { createRunConsumer, createRunQueue } from '../../../src/queue/run-queue.ts';
import { parseRedisUrl } from '../../../src/redis/address.ts';
import { createRedisConnection } from '../../../src/redis/connection.ts';
import { type AttemptRecords, createAttemptRecords } from '../../../src/runs/attempt-records.ts';
import { createDecisionLog } from '../../../src/runs/decision-log.ts';
import { createLabelRecords } from '../../../src/runs/label-records.ts';
import { createRunReader } from '../../../src/runs/run-reader.ts';
import { createGuard } from '../../../src/worker/guard/guard.ts';
import { createCommandRunner } from '../../../src/worker/runners/command-runner.ts';
import { createTurnProcessor } from '../../../src/worker/turn-processor.ts';

type Step =
  | 'taken'
  | 'read'
  | 'started'
  | 'ended'
  | 'finished'
  | 'projected'
  /** The ticket was read for the label of the started run; that label is allowed and about to be sent. */
  | 'labelling'
  | 'sending-label'
  /** The ticket was read for the label of the ended run; that label is written; the comment is about to be sent. */
  | 'closing'
  | 'closed'
  | 'sending-comment';

const [file = '', redisUrl = '', stepsText = '{}', scale = '0.1'] = process.argv.slice(2);
const steps = JSON.parse(stepsText) as Readonly<Record<string, Step>>;
const ticketOf = new Map<string, string>();
const ended = new Set<string>();
const released = Promise.withResolvers<void>();

const standStillAt = async (ticket: string | undefined, step: Step): Promise<void> => {
  if (ticket === undefined || steps[ticket] !== step) return;
  process.stdout.write(`${ticket} ${step}\n`);
  await released.promise;
};

const loaded = await loadConfig({ file, env: process.env });
const address = parseRedisUrl(redisUrl);
if (!loaded.ok || !address.ok) throw new Error('the configuration of the test cannot be read');
const { config } = loaded;
const timing = { ...scaleTiming(DEFAULT_TIMING, Number(scale)), redisCommandMs: 2_000, redisSocketMs: 8_000 };
const redactor = createRedactor();
const log = createLog({ level: 'warn', redactor });
const redis = createRedisConnection({
  address: address.options,
  namespace: config.redis.namespace,
  timing,
  blockMs: 200,
  freshServer: true,
  log,
});
await redis.whenUp(AbortSignal.timeout(10_000));

const [project] = config.catalog.projects;
if (project?.source.apiUrl === undefined) throw new Error('the test has no project');
const { source } = project;
const freely = createRateLimits();
const limits: RateLimits = {
  ...freely,
  // Asked after the write was allowed and right before it is sent.
  async hold(purpose, place) {
    const [, ticket, what] = /^POST .*\/issues\/(\d+)\/(labels|comments)$/.exec(place) ?? [];
    if (what === 'labels') await standStillAt(ticket, 'sending-label');
    if (what === 'comments') await standStillAt(ticket, 'sending-comment');
    return await freely.hold(purpose, place);
  },
};
const transport = createTransport({ credentialId: 'bot', origin: project.source.apiUrl, limits });
const github = connectGitHub({
  source,
  credential: { kind: 'token', token: process.env.GITHUB_TOKEN ?? '' },
  transport,
});
const platform: TicketPlatform = {
  ...github,
  async readTicket(id, call) {
    const ticket = await github.readTicket(id, call);
    if (call.purpose === 'attempt') await standStillAt(id, 'read');
    if (call.purpose === 'label') await standStillAt(id, ended.has(id) ? 'closing' : 'labelling');
    return ticket;
  },
  async moveLifecycle(ticket, to, call) {
    const labels = await github.moveLifecycle(ticket, to, call);
    if (to === 'done') await standStillAt(ticket.id, 'closed');
    return labels;
  },
};
const plain = createAttemptRecords(redis, timing);
const records: AttemptRecords = {
  ...plain,
  async take(run, turn) {
    const reply = await plain.take(run, turn);
    if (reply.kind === 'taken') {
      ticketOf.set(run, reply.run.ticketId);
      await standStillAt(reply.run.ticketId, 'taken');
    }
    return reply;
  },
  async start(run, worker) {
    const reply = await plain.start(run, worker);
    await standStillAt(run.ticketId, 'started');
    return reply;
  },
  async finish(name, end) {
    await standStillAt(ticketOf.get(name.run), 'ended');
    const reply = await plain.finish(name, end);
    ended.add(ticketOf.get(name.run) ?? '');
    await standStillAt(ticketOf.get(name.run), 'finished');
    return reply;
  },
};
const shared = { catalog: () => config.catalog, platformOf: () => platform, log };
const labels = createLabelWriter(
  {
    ...shared,
    runs: createRunReader(redis),
    records: createLabelRecords(redis, timing),
    decisions: createDecisionLog(redis),
    findings: createFindings(),
  },
  timing,
);
const runner = createCommandRunner({ guard: createGuard({ timing, log }), log, redactor }, { hostEnv: process.env });
const processor = createTurnProcessor(
  {
    ...shared,
    records,
    labels,
    queue: createRunQueue({ redis, log }),
    decisions: createDecisionLog(redis),
    redis: { refused: () => false, recovering: () => false },
    openRunner: (policy) => {
      const opened = config.openPipeline(policy);
      if (!opened.ok) return opened;
      const { timeoutMs, maxAttempts, work: command } = opened.spec;
      if (command.runner !== 'command') return { ok: false, problem: 'this worker runs commands' };
      return {
        ok: true,
        leashed: true,
        timeoutMs,
        maxAttempts,
        start: (request) => runner.start({ ...request, command }),
      };
    },
  },
  { ...timing, worker: 'held-worker' },
);
createRunConsumer({
  redis,
  log,
  slots: 16,
  blockMs: 200,
  timing,
  onTurn: async (turn) => {
    const outcome = await processor.process(turn);
    await labels.idle();
    await standStillAt(ticketOf.get(turn.run), 'projected');
    return outcome;
  },
});

createInterface({ input: process.stdin }).on('line', (file) => {
  process.stdout.write('blocked\n');
  const cell = new Int32Array(new SharedArrayBuffer(4));
  while (!existsSync(file)) Atomics.wait(cell, 0, 0, 20);
  released.resolve();
  void sayWhenQuiet();
});

async function sayWhenQuiet(): Promise<void> {
  const never = new AbortController().signal;
  while (processor.active() > 0) await sleep(20, never);
  await labels.idle();
  process.stdout.write('quiet\n');
}
