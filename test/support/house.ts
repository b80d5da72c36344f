/**
 * The rooms below the roof, put together for one test: real Redis, the real adapter on an emulated GitHub, protocol
 * time shrunk by one factor. What it opens is closed when the test is over.
 */
import { onTestFinished } from 'vitest';
import { createTicketClaimService, type TicketClaimService } from '../../src/claims/ticket-claim-service.ts';
import type { Catalog, Pipeline, Project } from '../../src/domain/project.ts';
import { ticketKey } from '../../src/domain/ticket.ts';
import { DEFAULT_TIMING, scaleTiming, type Timing } from '../../src/domain/timing.ts';
import { createGitHubEmulator, type GitHubEmulator } from '../../src/emulators/github/github-emulator.ts';
import { createFindings, type Findings } from '../../src/foundation/findings.ts';
import { createLog, type Log } from '../../src/foundation/log.ts';
import { createRedactor } from '../../src/foundation/redactor.ts';
import { createLabelWriter, type LabelWriter } from '../../src/labels/label-writer.ts';
import type { TicketPlatform } from '../../src/platforms/contract.ts';
import { connectGitHub } from '../../src/platforms/github/adapter.ts';
import { createTransport } from '../../src/platforms/transport.ts';
import { createRunQueue, type RunQueue } from '../../src/queue/run-queue.ts';
import { parseRedisUrl } from '../../src/redis/address.ts';
import { createRedisConnection, type RedisConnection } from '../../src/redis/connection.ts';
import { type AttemptRecords, createAttemptRecords } from '../../src/runs/attempt-records.ts';
import { type ClaimRecords, createClaimRecords } from '../../src/runs/claim-records.ts';
import { createDecisionLog, type DecisionLog } from '../../src/runs/decision-log.ts';
import { createLabelRecords, type LabelRecords } from '../../src/runs/label-records.ts';
import { createRunReader, type RunReader } from '../../src/runs/run-reader.ts';

export const TOKEN = 'ghp_a-secret-of-the-tests';
export const REPOSITORY = 'org/api';

export const silentLog: Log = createLog({ level: 'silent', redactor: createRedactor() });

/** Ten times faster than production unless a test says otherwise. */
export const FAST: Timing = scaleTiming(DEFAULT_TIMING, 0.1);

export interface HouseOptions {
  readonly redisUrl: string;
  readonly timing?: Timing;
  /** Share another house's GitHub. */
  readonly hub?: GitHubEmulator;
  /** Changes the projects that the house would have. */
  readonly projects?: (plain: Project) => readonly Project[];
  /** Default: an empty Redis means that nothing was lost, so there is no recovery window. */
  readonly freshServer?: boolean;
  readonly mostRunsPerDay?: number;
  /** Policy of the pipeline `fix-bug`; default: the command `true`. */
  readonly policy?: string;
}

export interface House {
  readonly timing: Timing;
  readonly hub: GitHubEmulator;
  readonly redis: RedisConnection;
  readonly catalog: Catalog;
  readonly project: Project;
  readonly platform: TicketPlatform;
  platformOf(project: Project): TicketPlatform;
  readonly claimRecords: ClaimRecords;
  readonly attemptRecords: AttemptRecords;
  readonly labelRecords: LabelRecords;
  readonly decisions: DecisionLog;
  readonly runs: RunReader;
  readonly queue: RunQueue;
  readonly claims: TicketClaimService;
  readonly labels: LabelWriter;
  readonly findings: Findings;
  /** The key of a ticket of `REPOSITORY`. */
  keyOf(id: string | number): string;
  /** Lifecycle labels and people's labels of a ticket of `REPOSITORY`, as GitHub shows them. */
  labelsOf(id: string | number): readonly string[];
}

export async function startHub(): Promise<GitHubEmulator> {
  const hub = createGitHubEmulator({
    tokens: { bot: { token: TOKEN, login: 'smith-bot' } },
    repositories: [REPOSITORY, 'org/other'],
    rateLimit: { limit: 1_000_000 },
  });
  await hub.start();
  onTestFinished(() => hub.close());
  return hub;
}

export async function openHouse(options: HouseOptions): Promise<House> {
  const timing = options.timing ?? FAST;
  const hub = options.hub ?? (await startHub());
  const address = parseRedisUrl(options.redisUrl);
  if (!address.ok) throw new Error(address.problem);
  const redis = createRedisConnection({
    address: address.options,
    namespace: 'agentsmith',
    timing: { ...timing, redisCommandMs: 2_000, redisSocketMs: 8_000 },
    blockMs: 200,
    freshServer: options.freshServer ?? true,
    log: silentLog,
  });
  const queue = createRunQueue({ redis, log: silentLog });
  onTestFinished(async () => {
    await queue.close();
    await redis.close();
  });
  await redis.whenUp(AbortSignal.timeout(10_000));

  const project = plainProject(hub);
  const projects = options.projects?.(project) ?? [project];
  const pipeline: Pipeline = {
    name: 'fix-bug',
    policy: options.policy ?? '{"command":["true"]}',
    timeoutMs: 60_000,
    maxAttempts: 3,
  };
  const catalog: Catalog = { hash: 'test', projects, pipelines: new Map([[pipeline.name, pipeline]]) };
  const transport = createTransport({ credentialId: 'bot', origin: hub.url });
  const platforms = new Map<string, TicketPlatform>();
  const platformOf = ({ source }: Project): TicketPlatform => {
    const known =
      platforms.get(source.container) ??
      connectGitHub({ source, credential: { kind: 'token', token: TOKEN }, transport });
    platforms.set(source.container, known);
    return known;
  };
  const claimRecords = createClaimRecords(redis, { ...timing, mostRunsPerDay: () => options.mostRunsPerDay ?? 1_000 });
  const attemptRecords = createAttemptRecords(redis, timing);
  const labelRecords = createLabelRecords(redis, timing);
  const decisions = createDecisionLog(redis);
  const runs = createRunReader(redis);
  const findings = createFindings();
  const shared = { catalog: () => catalog, platformOf, log: silentLog };
  return {
    timing,
    hub,
    redis,
    catalog,
    project,
    platform: platformOf(project),
    platformOf,
    claimRecords,
    attemptRecords,
    labelRecords,
    decisions,
    runs,
    queue,
    findings,
    claims: createTicketClaimService(
      { ...shared, records: claimRecords, queue, decisions, onOutcome: undefined },
      timing,
    ),
    labels: createLabelWriter({ ...shared, runs, records: labelRecords, decisions, findings }, timing),
    keyOf: (id) => ticketKey(project.source, String(id)),
    labelsOf: (id) => hub.issue(`${REPOSITORY}#${id}`).labels,
  };
}

/** Makes an empty Redis one that has lost nothing, so that processes which start on it need not wait for a recovery. */
export async function markFresh(redisUrl: string): Promise<void> {
  const address = parseRedisUrl(redisUrl);
  if (!address.ok) throw new Error(address.problem);
  const redis = createRedisConnection({
    address: address.options,
    namespace: 'agentsmith',
    timing: DEFAULT_TIMING,
    blockMs: 200,
    freshServer: true,
    log: silentLog,
  });
  await redis.whenUp(AbortSignal.timeout(10_000));
  await redis.close();
}

/** `org/api` with the trigger label `agent-smith`. */
export function plainProject(hub: GitHubEmulator): Project {
  return {
    name: 'api',
    source: { platform: 'github', host: new URL(hub.url).host, container: REPOSITORY, apiUrl: hub.url },
    code: { type: 'GitHub', url: hub.pageUrl(REPOSITORY) },
    routing: { pipelineFromLabel: new Map([['agent-smith', 'fix-bug']]), defaultPipeline: 'fix-bug' },
    polling: { intervalMs: 1_000, jitterPercent: 0 },
    triggers: new Set(['poll', 'webhook', 'manual', 'reconcile']),
  };
}
