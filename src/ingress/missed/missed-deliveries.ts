/**
 * The leader asks platforms for what did not arrive: when its term begins, since nobody may have listened before, and now
 * and then afterwards. Projects that share source and credential are asked for once.
 *
 * Where there are polls they look for the same, and sooner. So while a credential's budget runs out too fast it is asked
 * slowly; never not at all, since a project may have no polls. Each credential goes at its own pace, and each source has
 * turns of its own: soon again when it could not be looked at.
 */
import { bulkhead } from 'cockatiel';
import type { Term } from '../../coordination/leader.ts';
import type { Listening } from '../../coordination/listening.ts';
import type { MissedBoard } from '../../coordination/missed-board.ts';
import type { Catalog, Project } from '../../domain/project.ts';
import { groupBySource, type SourceGroup } from '../../domain/source-groups.ts';
import { elapsedMs, now } from '../../foundation/clock.ts';
import { messageOf } from '../../foundation/errors.ts';
import { everyOverlapping, sleep } from '../../foundation/loop.ts';
import type { BudgetWindow } from '../../platforms/rate-limits.ts';
import type { DeliveryRecords } from '../../runs/delivery-records.ts';
import { untilInStepMs } from '../polls/poll-schedule.ts';
import { takesWebhooks } from './missed-plan.ts';
import { createMissedRefusals } from './missed-refusals.ts';
import { createAskSource, type MissedSourceDeps, type PassFacts } from './missed-source.ts';
import { isDue, SOON, type Turn } from './missed-turns.ts';
import type { RedeliveryOptions } from './redelivery.ts';

export interface MissedRecovery {
  /**
   * Asks for every source that is due, but for those of credentials that an earlier pass still asks with. Throws when Redis is
   * away.
   */
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
  /** The last turn of each source. */
  const turns = new Map<string, Turn>();
  let count = 0;

  const untilAffordable = async (project: Project, signal: AbortSignal): Promise<void> => {
    const waitMs = Math.min(untilInStepMs(deps.windowOf(project)), SOON * options.missedScanMs);
    if (waitMs > 0) await sleep(waitMs, signal);
  };

  /**
   * The sources of one credential, a few at a time, as long as its platform answers. Who has more is asked again when the
   * others have had their turn.
   */
  const askAll = async (groups: readonly SourceGroup[], facts: PassFacts): Promise<void> => {
    const { term } = facts;
    const queue = [...groups];
    let silent = 0;
    const work = async (): Promise<void> => {
      for (;;) {
        const group = queue.shift();
        if (group === undefined) return;
        await untilAffordable(group.projects[0], term.signal);
        if (term.signal.aborted) return;
        count += 1;
        const number = count;
        const heard = await slots.execute(() => askSource(group, facts));
        const isFirstOfTerm = turns.get(group.key)?.term !== term;
        turns.set(group.key, { term, number, isFirstOfTerm, heard, at: now() });
        if (heard === 'more') queue.push(group);
        silent = heard === 'silence' ? silent + 1 : 0;
        if (heard === 'over' || silent >= ENOUGH_SILENCE) return;
      }
    };
    await Promise.all(Array.from({ length: SOURCES_PER_CREDENTIAL }, work));
  };

  const askOnce = async (credential: string, groups: readonly SourceGroup[], facts: PassFacts): Promise<void> => {
    if (credentialsAtWork.has(credential)) return;
    credentialsAtWork.add(credential);
    await askAll(groups, facts).finally(() => credentialsAtWork.delete(credential));
  };

  /** Those that wait longest come first: a pass that ends early must not leave out the same ones as the last. */
  const dueGroups = (groups: readonly SourceGroup[], term: Term): readonly SourceGroup[] => {
    const numberOf = ({ key }: SourceGroup): number => turns.get(key)?.number ?? 0;
    return groups
      .filter(({ key }) => isDue(turns.get(key), term, now(), options.missedScanMs))
      .toSorted((one, other) => numberOf(one) - numberOf(other));
  };

  const pass = async (term: Term): Promise<void> => {
    const projects = deps.catalog().projects.filter(takesWebhooks);
    const groups = groupBySource(projects, deps.credentialOf);
    refusals.retain(groups);
    const keys = new Set(groups.map(({ key }) => key));
    for (const key of turns.keys()) if (!keys.has(key)) turns.delete(key);
    const due = dueGroups(groups, term);
    if (due.length === 0) return;
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
    const byCredential = Map.groupBy(due, ({ credential }) => credential);
    await Promise.all([...byCredential].map(([credential, some]) => askOnce(credential, some, facts)));
  };

  return {
    pass,
    async lead(term) {
      const intervalMs = (): number => SOON * options.missedScanMs * (1 + JITTER * (2 * Math.random() - 1));
      const onError = (error: unknown): void =>
        log.warn({ error: messageOf(error) }, 'missed deliveries not asked for');
      // A credential that takes long must not keep the others waiting.
      await everyOverlapping({ intervalMs, signal: term.signal, onError }, () => pass(term));
    },
  };
}
