/**
 * A worker of the real rooms that stands still at chosen steps of an attempt (PROTOCOL 4), so that a test can kill it
 * right there. Arguments: config file, Redis URL, `{"<ticket>": "<step>"}` as JSON. Says `<ticket> <step>` on standard
 * output when a ticket has arrived at its step; heartbeats go on.
 */
import { loadConfig } from '../../../src/config/load.ts';
import { DEFAULT_TIMING, scaleTiming } from '../../../src/domain/timing.ts';
import { createFindings } from '../../../src/foundation/findings.ts';
import { createLog } from '../../../src/foundation/log.ts';
import { createRedactor } from '../../../src/foundation/redactor.ts';
import { createLabelWriter } from '../../../src/labels/label-writer.ts';
import type { TicketPlatform } from '../../../src/platforms/contract.ts';
import { connectGitHub } from '../../../src/platforms/github/adapter.ts';
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

type Step = 'taken' | 'read' | 'started' | 'ended' | 'finished' | 'projected';

const [file = '', redisUrl = '', stepsText = '{}'] = process.argv.slice(2);
const steps = JSON.parse(stepsText) as Readonly<Record<string, Step>>;
const ticketOf = new Map<string, string>();

const standStillAt = async (ticket: string | undefined, step: Step): Promise<void> => {
  if (ticket === undefined || steps[ticket] !== step) return;
  process.stdout.write(`${ticket} ${step}\n`);
  await new Promise(() => undefined);
};

const loaded = await loadConfig({ file, env: process.env });
const address = parseRedisUrl(redisUrl);
if (!loaded.ok || !address.ok) throw new Error('the configuration of the test cannot be read');
const { config } = loaded;
const timing = { ...scaleTiming(DEFAULT_TIMING, 0.1), redisCommandMs: 2_000, redisSocketMs: 8_000 };
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
const transport = createTransport({ credentialId: 'bot', origin: project.source.apiUrl });
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
    return ticket;
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
    openRunner: (policy) => {
      const opened = config.openPipeline(policy);
      if (!opened.ok) return opened;
      const { timeoutMs, maxAttempts, ...command } = opened.spec;
      return { ok: true, timeoutMs, maxAttempts, start: (request) => runner.start({ ...request, command }) };
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
