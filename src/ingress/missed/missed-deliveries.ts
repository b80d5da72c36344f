/**
 * The leader asks platforms for what did not arrive: when its term begins, since nobody may have listened before, and now
 * and then afterwards. Projects that share source and credential are asked for once.
 *
 * Where there are polls they look for the same, and sooner. So while a credential's budget runs out too fast it is asked
 * slowly; never not at all, since a project may have no polls. Each credential goes at its own pace.
 */
import { bulkhead } from 'cockatiel';
import type { Term } from '../../coordination/leader.ts';
import type { Listening } from '../../coordination/listening.ts';
import type { MissedBoard } from '../../coordination/missed-board.ts';
import type { Catalog, Project } from '../../domain/project.ts';
import { groupBySource, type SourceGroup } from '../../domain/source-groups.ts';
import { elapsedMs, now } from '../../foundation/clock.ts';
import { messageOf } from '../../foundation/errors.ts';
import { every, sleep } from '../../foundation/loop.ts';
import type { BudgetWindow } from '../../platforms/rate-limits.ts';
import type { DeliveryRecords } from '../../runs/delivery-records.ts';
import { untilInStepMs } from '../polls/poll-schedule.ts';
import { SOON } from './failed-tries.ts';
import { takesWebhooks } from './missed-plan.ts';
import { createMissedRefusals } from './missed-refusals.ts';
import { createAskSource, type MissedSourceDeps, type PassFacts } from './missed-source.ts';
import type { RedeliveryOptions } from './redelivery.ts';

export interface MissedRecovery {
  /** Asks for every source once, but for those of credentials that an earlier pass still asks with. Throws when Redis is away. */
  pass(term: Term): Promise<void>;
  /** Asks now and again, until the term ends. */
  lead(term: Term): Promise<void>;
}

export interface MissedRecoveryDeps extends Omit<MissedSourceDeps, 'refusals'> {
  readonly catalog: () => Catalog;
  readonly credentialOf: (project: Project) => string;
  /** What is left of that credential's budget. */
  readonly windowOf: (project: Project) => BudgetWindow | undefined;
  readonly records: Pick<DeliveryRecords, 'get' | 'arrivals'>;
  readonly listening: Pick<Listening, 'downMs'>;
  readonly board: MissedBoard;
  /** Redis TIME. */
  readonly timeMs: () => Promise<number>;
}

/** Platforms ask to keep requests of one credential few at a time. */
const SOURCES_PER_CREDENTIAL = 2;
const SOURCES_AT_ONCE = 16;
/** Sources in a row with one credential for which nobody answered before the rest is left to the next pass. */
const ENOUGH_SILENCE = 4;
/** Of the interval, either way: leaders of several deployments must not ask one platform in step. */
const JITTER = 0.1;

export function createMissedRecovery(deps: MissedRecoveryDeps, options: RedeliveryOptions): MissedRecovery {
  const { board, log } = deps;
  const refusals = createMissedRefusals(log);
  const askSource = createAskSource({ ...deps, refusals }, options);
  const slots = bulkhead(SOURCES_AT_ONCE, Number.POSITIVE_INFINITY);
  const credentialsAtWork = new Set<string>();
  /** By source, counted in sources: a pass that ends early must not leave out the same ones as the last. */
  const lastTurns = new Map<string, number>();
  let turns = 0;
  const begun = new WeakSet<Term>();

  const untilAffordable = async (project: Project, signal: AbortSignal): Promise<void> => {
    const waitMs = Math.min(untilInStepMs(deps.windowOf(project)), SOON * options.missedScanMs);
    if (waitMs > 0) await sleep(waitMs, signal);
  };

  /** The sources of one credential, a few at a time, as long as its platform answers; who has more waits for its next turn. */
  const askAll = async (groups: readonly SourceGroup[], facts: PassFacts): Promise<readonly SourceGroup[]> => {
    const { signal } = facts.term;
    const queue = [...groups];
    const unreached: SourceGroup[] = [];
    let silent = 0;
    const work = async (): Promise<void> => {
      for (let group = queue.shift(); group !== undefined; group = queue.shift()) {
        await untilAffordable(group.projects[0], signal);
        if (signal.aborted) return;
        turns += 1;
        lastTurns.set(group.key, turns);
        const asked = group;
        const heard = await slots.execute(() => askSource(asked, facts));
        if (heard === 'more') queue.push(group);
        if (heard === 'closed') unreached.push(group);
        silent = heard === 'silence' ? silent + 1 : 0;
        if (heard === 'over' || silent >= ENOUGH_SILENCE) return;
      }
    };
    await Promise.all(Array.from({ length: SOURCES_PER_CREDENTIAL }, work));
    return unreached;
  };

  /** The first pass of a term comes when whoever leads may have just started, and nothing sends to it yet: it asks twice. */
  const askPatiently = async (groups: readonly SourceGroup[], facts: PassFacts, isFirst: boolean): Promise<void> => {
    const unreached = await askAll(groups, facts);
    if (!isFirst || unreached.length === 0) return;
    if (await sleep(SOON * options.missedScanMs, facts.term.signal)) await askAll(unreached, facts);
  };

  const askOnce = async (
    credential: string,
    ...asking: readonly [readonly SourceGroup[], PassFacts, isFirst: boolean]
  ): Promise<void> => {
    if (credentialsAtWork.has(credential)) return;
    credentialsAtWork.add(credential);
    await askPatiently(...asking).finally(() => credentialsAtWork.delete(credential));
  };

  const pass = async (term: Term): Promise<void> => {
    const projects = deps.catalog().projects.filter(takesWebhooks);
    const groups = groupBySource(projects, deps.credentialOf);
    refusals.retain(groups);
    const keys = new Set(groups.map(({ key }) => key));
    for (const key of lastTurns.keys()) if (!keys.has(key)) lastTurns.delete(key);
    if (groups.length === 0) return;
    term.assertTrusted();
    await board.retain(new Set(projects.map(({ name }) => name)));
    const [notes, downMs, arrivals, redisMs] = await Promise.all([
      board.read(),
      deps.listening.downMs(),
      deps.records.arrivals(),
      deps.timeMs(),
    ]);
    const readAt = now();
    const facts = {
      term,
      notes: new Map(notes),
      downMs,
      arrivals,
      nowMs: () => Math.round(redisMs + elapsedMs(readAt)),
    };
    const isFirst = !begun.has(term);
    begun.add(term);
    const turnOf = ({ key }: SourceGroup): number => lastTurns.get(key) ?? 0;
    const inTurn = groups.toSorted((one, other) => turnOf(one) - turnOf(other));
    const byCredential = Map.groupBy(inTurn, ({ credential }) => credential);
    await Promise.all([...byCredential].map(([credential, some]) => askOnce(credential, some, facts, isFirst)));
  };

  return {
    pass,
    async lead(term) {
      const onError = (error: unknown): void => {
        if (!term.signal.aborted) log.warn({ error: messageOf(error) }, 'missed deliveries not asked for');
      };
      const passes = new Set<Promise<void>>();
      const intervalMs = (): number => options.missedScanMs * (1 + JITTER * (2 * Math.random() - 1));
      await every({ intervalMs, signal: term.signal, onError }, async () => {
        // Not waited for: a credential that takes long must not keep the others waiting.
        const begun = pass(term).catch(onError);
        passes.add(begun);
        void begun.then(() => passes.delete(begun));
      });
      await Promise.all(passes);
    },
  };
}
