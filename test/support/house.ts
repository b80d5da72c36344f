/**
 * The rooms below the roof, put together for tests: real Redis, real adapters on emulated platforms, protocol time shrunk
 * by one factor. `openRooms` knows no platform; `openHouse` is what most tests want, one project on an emulated GitHub,
 * closed when the test is over.
 */
import { createRunCanceller, type RunCanceller } from '../../src/claims/run-canceller.ts';
import { createTicketClaimService, type TicketClaimService } from '../../src/claims/ticket-claim-service.ts';
import { createUnwantedRuns, type UnwantedRuns } from '../../src/claims/unwanted-runs.ts';
import type { Catalog, Pipeline, Project } from '../../src/domain/project.ts';
import { ticketKey } from '../../src/domain/ticket.ts';
import { DEFAULT_TIMING, scaleTiming, type Timing } from '../../src/domain/timing.ts';
import { createGitHubEmulator, type GitHubEmulator } from '../../src/emulators/github/github-emulator.ts';
import { createFindings, type Findings } from '../../src/foundation/findings.ts';
import { createLog, type Log } from '../../src/foundation/log.ts';
import { createRedactor } from '../../src/foundation/redactor.ts';
import { createLabelWriter, type LabelWriter, type WritePermission } from '../../src/labels/label-writer.ts';
import type { TicketPlatform } from '../../src/platforms/contract.ts';
import { connectGitHub } from '../../src/platforms/github/adapter.ts';
import { createRateLimits, type RateLimits } from '../../src/platforms/rate-limits.ts';
import { createTransport } from '../../src/platforms/transport.ts';
import { createRunQueue, type RunQueue } from '../../src/queue/run-queue.ts';
import { parseRedisUrl } from '../../src/redis/address.ts';
import { createRedisConnection, type RedisConnection } from '../../src/redis/connection.ts';
import { type Admissions, createAdmissions } from '../../src/runs/admissions.ts';
import { type AttemptRecords, createAttemptRecords } from '../../src/runs/attempt-records.ts';
import { type CallbackRecords, createCallbackRecords } from '../../src/runs/callback-records.ts';
import { type Cancellations, createCancellations } from '../../src/runs/cancellations.ts';
import { type ClaimRecords, createClaimRecords } from '../../src/runs/claim-records.ts';
import { createDecisionLog, type DecisionLog } from '../../src/runs/decision-log.ts';
import { createDeliveryRecords, type DeliveryRecords } from '../../src/runs/delivery-records.ts';
import { createLabelRecords, type LabelRecords } from '../../src/runs/label-records.ts';
import { createRunReader, type RunReader } from '../../src/runs/run-reader.ts';
import { type Scope, thisTest } from './scope.ts';

export const TOKEN = 'ghp_a-secret-of-the-tests';
export const REPOSITORY = 'org/api';

export const silentLog: Log = createLog({ level: 'silent', redactor: createRedactor() });

const LONG_MS = 3_600_000;

/** Of a worker that nobody sees: more than any test fills, so that every run is admitted at once. */
export const SLOTS_ELSEWHERE = { instance: 'elsewhere', free: 10_000 } as const;

/**
 * Tells of those slots for as long as the scope lasts, as their replica would: real replicas do not believe the word of a house,
 * which reaches farther ahead than theirs.
 */
export function keepSlotsElsewhere({ redis, timing }: Pick<Rooms, 'redis' | 'timing'>, scope: Scope = thisTest): void {
  const admissions = createAdmissions(redis, timing);
  // While Redis is away or recovers nobody is told: the next word is soon enough.
  const tell = (): void => void admissions.tell(SLOTS_ELSEWHERE).catch(() => {});
  const telling = setInterval(tell, timing.freeSlotsMs / 4);
  scope.onTestFinished(() => clearInterval(telling));
  tell();
}

/** Ten times faster than production unless a test says otherwise. */
export const FAST: Timing = scaleTiming(DEFAULT_TIMING, 0.1);

export interface RoomsOptions {
  readonly redisUrl: string;
  readonly timing?: Timing;
  /** Default: an empty Redis means that nothing was lost, so there is no recovery window. */
  readonly freshServer?: boolean;
  readonly mostRunsPerDay?: number;
  /** Of `SLOTS_ELSEWHERE`. */
  readonly freeSlots?: number;
}

export interface Rooms {
  readonly timing: Timing;
  readonly redis: RedisConnection;
  readonly catalog: Catalog;
  platformOf(project: Project): TicketPlatform;
  readonly claimRecords: ClaimRecords;
  /** Believes a word on free slots for as long as any test lasts. */
  readonly admissions: Admissions;
  readonly attemptRecords: AttemptRecords;
  readonly callbackRecords: CallbackRecords;
  readonly labelRecords: LabelRecords;
  readonly decisions: DecisionLog;
  readonly runs: RunReader;
  readonly deliveries: DeliveryRecords;
  readonly queue: RunQueue;
  readonly claims: TicketClaimService;
  readonly cancellations: Cancellations;
  readonly canceller: RunCanceller;
  readonly unwanted: UnwantedRuns;
  readonly labels: LabelWriter;
  readonly findings: Findings;
  close(): Promise<void>;
}

export interface HouseOptions extends RoomsOptions {
  /** Share another house's GitHub. */
  readonly hub?: GitHubEmulator;
  /** Changes the projects that the house would have. */
  readonly projects?: (plain: Project) => readonly Project[];
  /** Policy of the pipeline `fix-bug`; default: the command `true`. */
  readonly policy?: string;
  /** Of the one credential; default: kept in memory. */
  readonly limits?: RateLimits;
  /** Whose house it is; default: the test that runs alone. */
  readonly scope?: Scope;
}

export interface House extends Rooms {
  readonly hub: GitHubEmulator;
  readonly project: Project;
  readonly platform: TicketPlatform;
  /** Of the one credential. */
  readonly limits: RateLimits;
  /** The key of a ticket of `REPOSITORY`. */
  keyOf(id: string | number): string;
  /** Lifecycle labels and people's labels of a ticket of `REPOSITORY`, as GitHub shows them. */
  labelsOf(id: string | number): readonly string[];
}

export async function startHub(scope: Scope = thisTest): Promise<GitHubEmulator> {
  const hub = createGitHubEmulator({
    tokens: { bot: { token: TOKEN, login: 'smith-bot' } },
    repositories: [REPOSITORY, 'org/other'],
    rateLimit: { limit: 1_000_000 },
  });
  await hub.start();
  scope.onTestFinished(() => hub.close());
  return hub;
}

export async function openHouse(options: HouseOptions): Promise<House> {
  const { scope = thisTest } = options;
  const hub = options.hub ?? (await startHub(scope));
  const project = plainProject(hub);
  const limits = options.limits ?? createRateLimits();
  const transport = createTransport({ credentialId: 'bot', origin: hub.url, limits });
  const platforms = new Map<string, TicketPlatform>();
  const platformOf = ({ source }: Project): TicketPlatform => {
    const known =
      platforms.get(source.container) ??
      connectGitHub({ source, credential: { kind: 'token', token: TOKEN }, transport });
    platforms.set(source.container, known);
    return known;
  };
  const catalog = catalogOf(options.projects?.(project) ?? [project], [plainPipeline('fix-bug', options.policy)]);
  const rooms = await openRooms(catalog, platformOf, options);
  scope.onTestFinished(rooms.close);
  return {
    ...rooms,
    hub,
    project,
    platform: platformOf(project),
    limits,
    keyOf: (id) => ticketKey(project.source, String(id)),
    labelsOf: (id) => hub.issue(`${REPOSITORY}#${id}`).labels,
  };
}

/** Whoever opens them closes them. */
export async function openRooms(
  catalog: Catalog,
  platformOf: Rooms['platformOf'],
  options: RoomsOptions,
): Promise<Rooms> {
  const timing = options.timing ?? FAST;
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
  const close = async (): Promise<void> => {
    await queue.close();
    await redis.close();
  };
  const admissions = createAdmissions(redis, { ...timing, freeSlotsMs: LONG_MS });
  try {
    await redis.whenUp(AbortSignal.timeout(10_000));
    await admissions.tell({ ...SLOTS_ELSEWHERE, free: options.freeSlots ?? SLOTS_ELSEWHERE.free });
  } catch (error) {
    await close();
    throw error;
  }

  const claimRecords = createClaimRecords(redis, { ...timing, mostRunsPerDay: () => options.mostRunsPerDay ?? 1_000 });
  const attemptRecords = createAttemptRecords(redis, timing);
  const labelRecords = createLabelRecords(redis, timing);
  const decisions = createDecisionLog(redis, timing);
  const runs = createRunReader(redis);
  const findings = createFindings();
  const shared = { catalog: () => catalog, platformOf, log: silentLog };
  const labels = createLabelWriter({ ...shared, runs, records: labelRecords, decisions, findings }, timing);
  const cancellations = createCancellations(redis, attemptRecords);
  const canceller = createRunCanceller({ cancellations, decisions, log: silentLog });
  const permission: WritePermission = { mayWrite: () => true, signal: new AbortController().signal };
  const unwanted = createUnwantedRuns({
    ...shared,
    runs,
    canceller,
    showLabel: (run) => labels.project(run, permission),
  });
  return {
    timing,
    redis,
    catalog,
    platformOf,
    claimRecords,
    admissions,
    attemptRecords,
    callbackRecords: createCallbackRecords(redis, timing),
    labelRecords,
    decisions,
    runs,
    deliveries: createDeliveryRecords(redis, timing),
    queue,
    findings,
    claims: createTicketClaimService(
      { ...shared, records: claimRecords, queue, decisions, canceller, onOutcome: undefined },
      timing,
    ),
    cancellations,
    canceller,
    unwanted,
    labels,
    close,
  };
}

export function catalogOf(projects: readonly Project[], pipelines: readonly Pipeline[]): Catalog {
  return { hash: 'test', projects, pipelines: new Map(pipelines.map((pipeline) => [pipeline.name, pipeline])) };
}

export function plainPipeline(name: string, policy = '{"command":["true"]}'): Pipeline {
  return { name, policy, timeoutMs: 60_000, maxAttempts: 3 };
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
