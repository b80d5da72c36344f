/**
 * What one source's platform could not deliver is asked for, and comes in as if it had arrived.
 *
 *   look -> which are not on record -> again, one by one -> taken in | sent once more -> on record?
 *
 * Where the platform sends, the first one shows whether there is a road to us: the others follow when it has arrived. Over
 * a broken road each of them would be one failure more, on which platforms switch hooks off.
 *
 * Safe twice: what is on record already is not asked for, and a second copy of a delivery is a duplicate. A process that
 * dies half-way has noted nothing, so the next leader looks at the same time once more.
 */
import type { Term } from '../../coordination/leader.ts';
import type { Delivery, DeliveryName } from '../../domain/delivery.ts';
import type { Project } from '../../domain/project.ts';
import type { SourceGroup } from '../../domain/source-groups.ts';
import { elapsedMs, now } from '../../foundation/clock.ts';
import { sleep } from '../../foundation/loop.ts';
import { type Call, PlatformError } from '../../platforms/contract.ts';
import type { HookState, MissedDeliveries, MissedDelivery } from '../../platforms/missed-deliveries.ts';
import type { WebhookMessage } from '../../platforms/webhook.ts';
import type { Acceptance, DeliveryRecords } from '../../runs/delivery-records.ts';
import { createFailedTries } from './failed-tries.ts';
import { askingProject, reachedMs } from './missed-plan.ts';

export interface RedeliveryDeps {
  readonly records: Pick<DeliveryRecords, 'get'>;
  /** The names under which a delivery of this hook to this project may be on record. */
  readonly namesOf: (project: Project, hook: string | undefined, id: string) => readonly DeliveryName[];
  /** Takes a message in for any of these projects, which have one source. Throws when Redis is away. */
  readonly takeIn: (projects: readonly Project[], message: WebhookMessage) => Promise<Acceptance['kind']>;
  readonly isOurs: (url: string, projects: readonly Project[]) => boolean;
}

export interface RedeliveryOptions {
  readonly listingDeadlineMs: number;
  readonly claimCallMs: number;
  readonly redeliveryPauseMs: number;
  readonly redeliveryWaitMs: number;
  readonly missedScanMs: number;
}

/** Wall-clock ms by which all leaders go. */
export interface MissedSpan {
  /** Nothing older is asked for. */
  readonly sinceMs: number;
  readonly nowMs: number;
}

export interface RedeliveryReport {
  readonly hooks: readonly HookState[];
  /** Deliveries that were not on record and were tried. */
  readonly found: number;
  readonly recovered: number;
  readonly relevant: number;
  readonly notArrived: number;
  /** Nothing before this wall-clock ms has to be looked at again. */
  readonly reachedMs: number;
  /** Not everything that may be missed was tried. */
  readonly hasMore: boolean;
  /** Why the platform was not asked for the rest. */
  readonly problem: PlatformError | undefined;
}

/** @throws PlatformError when the platform cannot be looked at; whatever `term` and Redis throw. */
export type Redeliver = (
  group: SourceGroup,
  missed: MissedDeliveries,
  span: MissedSpan,
  term: Term,
) => Promise<RedeliveryReport>;

/** Read in one look, and tried in one turn: other sources have theirs before the rest. */
const MOST_LISTED = 1_000;
/** A list of deliveries has many more pages than one of tickets: what could not be read to its end would never be read. */
const LISTINGS_LONG = 6;
const MOST_TRIED = 100;
/** How often it is looked whether they have arrived, in the time that this may take. */
const LOOKS = 40;

/** A delivery that the platform could not make, and the names under which it would be on record. */
interface Missed {
  readonly delivery: MissedDelivery;
  readonly names: readonly DeliveryName[];
}

/** Where it stands after a try. */
type Fate = 'relevant' | 'irrelevant' | 'sent' | 'refused';

export function createRedelivery(deps: RedeliveryDeps, options: RedeliveryOptions): Redeliver {
  const failedTries = createFailedTries(options.missedScanMs);

  const recordOf = async ({ names }: Missed): Promise<Delivery | undefined> => {
    const records = await Promise.all(names.map((name) => deps.records.get(name)));
    return records.find((record) => record !== undefined);
  };

  /** Those that have been tried least come first. */
  const notOnRecord = async (group: SourceGroup, missed: readonly MissedDelivery[]): Promise<Missed[]> => {
    const found: Missed[] = [];
    for (const delivery of missed) {
      const { hook, id } = delivery;
      const names = [...new Set(group.projects.flatMap((project) => deps.namesOf(project, hook, id)))];
      const one: Missed = { delivery, names };
      if (!failedTries.areOver(one) && (await recordOf(one)) === undefined) found.push(one);
    }
    return found.toSorted((one, other) => failedTries.of(one) - failedTries.of(other));
  };

  /** Undefined: the inbox is full. */
  const tryOne = async ({ projects }: SourceGroup, { delivery }: Missed, call: Call): Promise<Fate | undefined> => {
    try {
      const message = await delivery.again(call);
      if (message === undefined) return 'sent';
      const kind = await deps.takeIn(projects, message);
      if (kind === 'full') return undefined;
      return kind === 'accepted' ? 'relevant' : 'irrelevant';
    } catch (error) {
      if (error instanceof PlatformError && isOfOne(error)) return 'refused';
      throw error;
    }
  };

  /** Looks for those that were sent once more, until all are on record or their time is over. */
  const waitForSent = async (fates: Map<Missed, Fate>, signal: AbortSignal): Promise<void> => {
    const startedAt = now();
    for (;;) {
      const sent = [...fates].filter(([, fate]) => fate === 'sent');
      for (const [one] of sent) {
        const record = await recordOf(one);
        if (record !== undefined) fates.set(one, record.state === 'ignored' ? 'irrelevant' : 'relevant');
      }
      if (sent.length === 0 || elapsedMs(startedAt) >= options.redeliveryWaitMs) return;
      if (!(await sleep(options.redeliveryWaitMs / LOOKS, signal))) return;
    }
  };

  /** One after the other, as far as the platform, the road and the inbox let us. */
  const tryAll = async (group: SourceGroup, found: readonly Missed[], term: Term) => {
    const fates = new Map<Missed, Fate>();
    const call: Call = { purpose: 'repair', deadlineMs: options.claimCallMs, signal: term.signal };
    let isRoadOpen = false;
    for (const one of found) {
      if (!isRoadOpen && !failedTries.isDue(one)) continue;
      term.assertTrusted();
      try {
        const fate = await tryOne(group, one, call);
        if (fate === undefined) break;
        fates.set(one, fate);
        if (fate !== 'sent') continue;
        // Only a platform that sends is asked for something that it counts by the minute.
        await sleep(options.redeliveryPauseMs, term.signal);
        if (!isRoadOpen) await waitForSent(fates, term.signal);
        isRoadOpen ||= fates.get(one) !== 'sent';
        if (!isRoadOpen) break;
      } catch (error) {
        if (!(error instanceof PlatformError)) throw error;
        // It may be this one alone that the platform fails at: the next pass begins with others.
        if (error.kind !== 'rate-limited') failedTries.note(one);
        return { fates, problem: error };
      }
    }
    return { fates, problem: undefined };
  };

  return async (group, missed, { sinceMs, nowMs }, term) => {
    const question = { sinceMs, project: askingProject(group), most: MOST_LISTED };
    const answer = await missed.look(
      { ...question, isOurs: (url) => deps.isOurs(url, group.projects) },
      { purpose: 'repair', deadlineMs: LISTINGS_LONG * options.listingDeadlineMs, signal: term.signal },
    );
    const found = await notOnRecord(group, answer.missed);
    const { fates, problem } = await tryAll(group, found.slice(0, MOST_TRIED), term);
    await waitForSent(fates, term.signal);

    const isIn = (fate: Fate | undefined): boolean => fate === 'relevant' || fate === 'irrelevant';
    const missing = [...fates].flatMap(([one, fate]) => (isIn(fate) ? [] : [one]));
    missing.forEach(failedTries.note);
    const open = found.filter((one) => !isIn(fates.get(one)) && !failedTries.areOver(one));
    return {
      hooks: answer.hooks,
      found: fates.size,
      recovered: fates.size - missing.length,
      relevant: [...fates.values()].filter((fate) => fate === 'relevant').length,
      notArrived: missing.length,
      reachedMs: reachedMs(
        nowMs,
        answer,
        open.map(({ delivery }) => delivery),
      ),
      hasMore: answer.truncated || found.length > fates.size,
      problem,
    };
  };
}

/** Whether a refusal says something about this delivery alone: it is gone, or not as it should be. */
function isOfOne({ kind }: PlatformError): boolean {
  return kind === 'not-found' || kind === 'conflict' || kind === 'invalid-response';
}
