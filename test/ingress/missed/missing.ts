/** A platform that has lost deliveries, made by hand: `MissedDeliveries` is our own contract. And who asks it, on real records. */
import { PassThrough } from 'node:stream';
import { onTestFinished } from 'vitest';
import { type Term, TermLost } from '../../../src/coordination/leader.ts';
import { createListening, type Listening } from '../../../src/coordination/listening.ts';
import { createMissedBoard, type MissedBoard } from '../../../src/coordination/missed-board.ts';
import { createPlaceIds } from '../../../src/coordination/place-ids.ts';
import type { Project } from '../../../src/domain/project.ts';
import type { TicketSource } from '../../../src/domain/ticket.ts';
import { createFindings, type Finding } from '../../../src/foundation/findings.ts';
import { createLog } from '../../../src/foundation/log.ts';
import { createRedactor } from '../../../src/foundation/redactor.ts';
import { createDeliveryReceiver, type DeliveryReceiver } from '../../../src/ingress/deliveries/delivery-receiver.ts';
import {
  createMissedRecovery,
  type MissedRecovery,
  type MissedRecoveryDeps,
} from '../../../src/ingress/missed/missed-deliveries.ts';
import type { RecoveredFacts } from '../../../src/ingress/missed/missed-source.ts';
import type { RedeliveryOptions } from '../../../src/ingress/missed/redelivery.ts';
import { isOurAddress } from '../../../src/ingress/missed/webhook-address.ts';
import type { Call } from '../../../src/platforms/contract.ts';
import { githubWebhook } from '../../../src/platforms/github/webhook.ts';
import type {
  HookState,
  MissedDeliveries,
  MissedDelivery,
  MissedQuestion,
} from '../../../src/platforms/missed-deliveries.ts';
import type { BudgetWindow } from '../../../src/platforms/rate-limits.ts';
import type { WebhookMessage } from '../../../src/platforms/webhook.ts';
import { FAST, openRooms, silentLog } from '../../support/house.ts';
import { SECRET, type SentIssue, sentIssue } from '../deliveries/deliveries.ts';

export const HOOK = '1';

/** Takes webhooks for `org/api`; `change` may move it elsewhere. */
export function taker(name: string, label = 'agent-smith', source: Partial<TicketSource> = {}): Project {
  return {
    name,
    source: { platform: 'github', host: 'github.com', container: 'org/api', apiUrl: 'https://github.test', ...source },
    code: { type: 'GitHub', url: 'https://github.com/org/api' },
    routing: { pipelineFromLabel: new Map([[label, 'fix-bug']]) },
    triggers: new Set(['webhook', 'manual', 'reconcile']),
  };
}

export interface Scene {
  readonly receiver: DeliveryReceiver;
  readonly board: MissedBoard;
  readonly listening: Listening;
  /** What everybody is shown of the hooks. */
  findings(): Promise<Finding[]>;
  /** Lines of the log from info on. */
  readonly lines: readonly Readonly<Record<string, unknown>>[];
  readonly recovered: readonly RecoveredFacts[];
  /** As a process that has just started would ask. */
  recovery(more?: Partial<RedeliveryOptions>): MissedRecovery;
}

export interface SceneOptions {
  readonly records?: Partial<MissedRecoveryDeps['records']>;
  /** Of the budget of every credential. */
  readonly window?: () => BudgetWindow | undefined;
}

/** @param missed by the name of the project whose source and credential it is */
export async function openScene(
  redisUrl: string,
  projects: readonly Project[],
  missedOf: (project: Project) => MissedDeliveries,
  { records, window = () => undefined }: SceneOptions = {},
): Promise<Scene> {
  const catalog = { hash: 'config-1', projects, pipelines: new Map() };
  const noPlatform = (): never => {
    throw new Error('only missed deliveries are asked for');
  };
  const rooms = await openRooms(catalog, noPlatform, { redisUrl });
  onTestFinished(rooms.close);
  const [lines, recovered] = [[] as Record<string, unknown>[], [] as RecoveredFacts[]];
  const destination = new PassThrough().on('data', (line) => lines.push(JSON.parse(String(line))));
  const log = createLog({ level: 'info', redactor: createRedactor(), destination });
  const doors = projects.map((project) => ({
    project,
    dialect: githubWebhook,
    secrets: [SECRET],
    allowUnsigned: false,
  }));
  const receiver = createDeliveryReceiver(
    {
      doors: () => doors,
      configHash: () => catalog.hash,
      records: rooms.deliveries,
      placeIds: createPlaceIds(rooms.redis, silentLog),
      runs: rooms.runs,
      onAccepted: () => {},
      findings: createFindings(),
      log: silentLog,
    },
    { deliveryWriteMs: 1_000 },
  );
  const [board, listening] = [createMissedBoard(rooms.redis), createListening(rooms.redis, { listeningMs: 5_000 })];
  return {
    receiver,
    board,
    listening,
    findings: async () => [...(await board.read()).values()].flatMap(({ finding }) => finding ?? []),
    lines,
    recovered,
    recovery: (more = {}) =>
      createMissedRecovery(
        {
          catalog: () => catalog,
          missedOf,
          credentialOf: ({ source }) => source.host,
          records: { ...rooms.deliveries, ...records },
          listening,
          board,
          windowOf: () => window(),
          timeMs: rooms.redis.timeMs,
          namesOf: receiver.namesOf,
          takeIn: receiver.takeIn,
          isOurs: (url, asking) => isOurAddress(url, asking, { paths: ['/webhook'], publicUrl: undefined }),
          log,
          onRecovered: (facts) => recovered.push(facts),
        },
        { ...FAST, missedScanMs: 3_600_000, redeliveryPauseMs: 1, redeliveryWaitMs: 100, ...more },
      ),
  };
}

export interface OpenTerm extends Term {
  end(): void;
}

/** Of the poller leader, until it is ended. */
export function openTerm(): OpenTerm {
  const over = new AbortController();
  onTestFinished(() => over.abort());
  return {
    role: 'poller',
    epoch: 1,
    signal: over.signal,
    trusted: () => !over.signal.aborted,
    assertTrusted() {
      if (over.signal.aborted) throw new TermLost('poller', 1);
    },
    end: () => over.abort(),
  };
}

/** What is lost: an issue of `org/api`, as `sentIssue` has it. */
export interface Lost extends SentIssue {
  readonly id: string;
  readonly atMs?: number;
}

/** Instead of sending it again. */
export type Again = (lost: Lost, call: Call) => Promise<WebhookMessage | undefined>;

export interface LossyPlatform extends MissedDeliveries {
  hooks: HookState[];
  lost: Lost[];
  again: Again;
  /** Thrown by the next looks. */
  refusal: Error | undefined;
  readonly questions: readonly MissedQuestion[];
  /** Ids in the order in which they were asked for. */
  readonly asked: readonly string[];
}

/** Its list still names what has arrived since, as that of some platforms does. */
export function lossyPlatform(again: Again): LossyPlatform {
  const [questions, asked]: [MissedQuestion[], string[]] = [[], []];
  const platform: LossyPlatform = {
    hooks: [{ id: HOOK, state: 'active', detail: 'fine' }],
    lost: [],
    again,
    refusal: undefined,
    questions,
    asked,
    async look(question) {
      questions.push(question);
      if (platform.refusal !== undefined) throw platform.refusal;
      const missed = platform.lost.map(
        (lost): MissedDelivery => ({
          id: lost.id,
          hook: HOOK,
          atMs: lost.atMs ?? Date.now(),
          again(call) {
            asked.push(lost.id);
            return platform.again(lost, call);
          },
        }),
      );
      return {
        hooks: platform.hooks,
        missed: missed.slice(0, question.most),
        truncated: missed.length > question.most,
      };
    },
  };
  return platform;
}

/** Sends it once more, over a good road. */
export const sendTo =
  ({ receiver }: Pick<Scene, 'receiver'>): Again =>
  async (lost) => {
    await receiver.receive(sentIssue({ hook: HOOK, ...lost }));
    return undefined;
  };

/** Tells what it had sent. */
export const tell: Again = async (lost) => githubWebhook.read(sentIssue({ hook: HOOK, ...lost }));
