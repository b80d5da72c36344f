/**
 * A process that claims tickets and nothing else: the real claim on real Redis and an emulated GitHub. It can be told to
 * stand still after a step of PROTOCOL 2, so that a test kills it exactly there. Driven by test/support/claimer.ts.
 */
import { createRunCanceller } from '../../../src/claims/run-canceller.ts';
import { createTicketClaimService } from '../../../src/claims/ticket-claim-service.ts';
import type { Project, Trigger } from '../../../src/domain/project.ts';
import type { Timing } from '../../../src/domain/timing.ts';
import { createLog } from '../../../src/foundation/log.ts';
import { createRedactor } from '../../../src/foundation/redactor.ts';
import type { TicketPlatform } from '../../../src/platforms/contract.ts';
import { connectGitHub } from '../../../src/platforms/github/adapter.ts';
import { createTransport } from '../../../src/platforms/transport.ts';
import { createRunQueue } from '../../../src/queue/run-queue.ts';
import { parseRedisUrl } from '../../../src/redis/address.ts';
import { createRedisConnection } from '../../../src/redis/connection.ts';
import { createAttemptRecords } from '../../../src/runs/attempt-records.ts';
import { createCancellations } from '../../../src/runs/cancellations.ts';
import { type ClaimRecords, createClaimRecords } from '../../../src/runs/claim-records.ts';
import { createDecisionLog } from '../../../src/runs/decision-log.ts';

/** A step of the claim table after which the program stands still. */
export type ClaimStep = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7;

export interface ClaimerSetup {
  readonly redisUrl: string;
  readonly token: string;
  /** In YAML order; all of them have the trigger label `agent-smith`. */
  readonly projects: readonly Pick<Project, 'name' | 'source'>[];
  readonly timing: Timing;
  readonly holdAfter?: ClaimStep | undefined;
}

export interface ClaimOrder {
  readonly kind: 'claim';
  readonly claims: readonly { readonly project: string; readonly ticketId: string; readonly trigger: Trigger }[];
}

const setup = JSON.parse(process.argv[2] ?? '') as ClaimerSetup;
const { timing } = setup;
const log = createLog({ level: 'silent', redactor: createRedactor() });
const address = parseRedisUrl(setup.redisUrl);
if (!address.ok) throw new Error(address.problem);
const redis = createRedisConnection({
  address: address.options,
  namespace: 'agentsmith',
  timing: { ...timing, redisCommandMs: 10_000, redisSocketMs: 10_000 },
  blockMs: 200,
  freshServer: true,
  log,
});

const released = Promise.withResolvers<void>();
const hold = async (step: ClaimStep): Promise<void> => {
  if (setup.holdAfter !== step) return;
  process.send?.({ kind: 'held' });
  await released.promise;
};
const after =
  <A extends unknown[], R>(step: ClaimStep, act: (...args: A) => Promise<R>) =>
  async (...args: A): Promise<R> => {
    const result = await act(...args);
    await hold(step);
    return result;
  };

const plainRecords = createClaimRecords(redis, { ...timing, mostRunsPerDay: () => 1_000 });
const records: ClaimRecords = {
  ...plainRecords,
  async begin(claim) {
    await hold(0);
    const begun = await plainRecords.begin(claim);
    if ('hold' in begun) await hold(1);
    return begun;
  },
  commit: after(5, plainRecords.commit),
};
const platforms = new Map<string, TicketPlatform>();
const platformOf = ({ source }: Pick<Project, 'source'>): TicketPlatform => {
  const known = platforms.get(source.container);
  if (known !== undefined) return known;
  const transport = createTransport({ credentialId: 'bot', origin: source.apiUrl });
  const plain = connectGitHub({ source, credential: { kind: 'token', token: setup.token }, transport });
  const platform: TicketPlatform = {
    ...plain,
    readTicket: after(2, plain.readTicket),
    async moveLifecycle(...args) {
      await hold(3);
      return await after(4, plain.moveLifecycle)(...args);
    },
  };
  platforms.set(source.container, platform);
  return platform;
};
const projects = setup.projects.map(
  (project): Project => ({
    ...project,
    code: { type: 'GitHub', url: 'https://code.test/' },
    routing: { pipelineFromLabel: new Map([['agent-smith', 'fix-bug']]), defaultPipeline: 'fix-bug' },
    triggers: new Set(['poll', 'manual', 'reconcile']),
  }),
);
const pipeline = { name: 'fix-bug', policy: '{"command":["true"]}', timeoutMs: 60_000, maxAttempts: 3 };
const queue = createRunQueue({ redis, log });
const decisions = createDecisionLog(redis);
const cancellations = createCancellations(redis, createAttemptRecords(redis, timing));
const claims = createTicketClaimService(
  {
    catalog: () => ({ hash: 'test', projects, pipelines: new Map([[pipeline.name, pipeline]]) }),
    platformOf,
    records,
    queue: { add: after(6, queue.add) },
    decisions,
    canceller: createRunCanceller({ cancellations, decisions, log }),
    log,
    onOutcome: undefined,
  },
  timing,
);

const never = new AbortController().signal;
process.on('message', (message: ClaimOrder | { readonly kind: 'go-on' }) => {
  if (message.kind === 'go-on') {
    released.resolve();
    return;
  }
  void Promise.all(message.claims.map((request) => claims.claim(request, never))).then((outcomes) =>
    process.send?.({ kind: 'outcomes', outcomes }),
  );
});
process.on('disconnect', () => process.exit());
await redis.whenUp(never);
process.send?.({ kind: 'ready' });
