/**
 * One pass over one source: what its platform could not deliver is asked for, and comes in as if it had arrived.
 *
 *   look -> which are not on record -> again, one by one -> taken in | sent once more -> on record?
 *
 * Safe twice: what is on record already is not asked for, and a second copy of a delivery is a duplicate. A process that
 * dies half-way has noted nothing, so the next leader looks at the same time once more.
 */
import { LRUCache } from 'lru-cache';
import type { Term } from '../coordination/leader.ts';
import type { Delivery, DeliveryName } from '../domain/delivery.ts';
import type { Project } from '../domain/project.ts';
import type { SourceGroup } from '../domain/source-groups.ts';
import { elapsedMs, now } from '../foundation/clock.ts';
import { sleep } from '../foundation/loop.ts';
import { type Call, PlatformError } from '../platforms/contract.ts';
import type { HookState, MissedDeliveries, MissedDelivery } from '../platforms/missed-deliveries.ts';
import type { WebhookMessage } from '../platforms/webhook.ts';
import type { Acceptance, DeliveryRecords } from '../runs/delivery-records.ts';
import { askingProject, reachedMs } from './missed-plan.ts';

export interface MissedSourceDeps {
  readonly records: Pick<DeliveryRecords, 'get'>;
  /** The names under which a delivery of this hook to this project may be on record. */
  readonly namesOf: (project: Project, hook: string | undefined, id: string) => readonly DeliveryName[];
  /** Takes a message in for any of these projects, which have one source. Throws when Redis is away. */
  readonly takeIn: (projects: readonly Project[], message: WebhookMessage) => Promise<Acceptance['kind']>;
  readonly isOurs: (url: string, projects: readonly Project[]) => boolean;
}

export interface MissedSourceOptions {
  readonly listingDeadlineMs: number;
  readonly claimCallMs: number;
  readonly redeliveryPauseMs: number;
  readonly redeliveryWaitMs: number;
}

export interface SourceReport {
  readonly hooks: readonly HookState[];
  /** Deliveries that were not on record and were tried. */
  readonly found: number;
  readonly recovered: number;
  readonly relevant: number;
  readonly notArrived: number;
  /** Nothing before this wall-clock ms has to be looked at again. */
  readonly reachedMs: number;
  /** Why the platform was not asked for the rest. */
  readonly problem: PlatformError | undefined;
}

/** @throws PlatformError when the platform cannot be looked at; whatever `term` and Redis throw. */
export type RecoverSource = (
  group: SourceGroup,
  missed: MissedDeliveries,
  sinceMs: number,
  term: Term,
) => Promise<SourceReport>;

/** Read in one look, and tried in one pass: the rest is the next one's. */
const MOST_LISTED = 1_000;
const MOST_TRIED = 100;
/** How often it is looked whether they have arrived, in the time that this may take. */
const LOOKS = 40;

/** A delivery that the platform could not make, and the names under which it would be on record. */
interface Lost {
  readonly delivery: MissedDelivery;
  readonly names: readonly DeliveryName[];
}

/** Where it stands after a try. */
type Fate = 'relevant' | 'irrelevant' | 'sent' | 'refused';

export function createSourceRecovery(deps: MissedSourceDeps, options: MissedSourceOptions): RecoverSource {
  const failedTries = createFailedTries();

  const recordOf = async ({ names }: Lost): Promise<Delivery | undefined> => {
    const records = await Promise.all(names.map((name) => deps.records.get(name)));
    return records.find((record) => record !== undefined);
  };

  const notOnRecord = async (group: SourceGroup, missed: readonly MissedDelivery[]): Promise<Lost[]> => {
    const found: Lost[] = [];
    for (const delivery of missed) {
      const { hook, id } = delivery;
      const names = [...new Set(group.projects.flatMap((project) => deps.namesOf(project, hook, id)))];
      const lost: Lost = { delivery, names };
      if (failedTries.mayTry(lost) && (await recordOf(lost)) === undefined) found.push(lost);
    }
    return found;
  };

  /** Undefined: the inbox is full. */
  const tryOne = async ({ projects }: SourceGroup, { delivery }: Lost, call: Call): Promise<Fate | undefined> => {
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

  /** One after the other, as far as the platform and the inbox let us. */
  const tryAll = async (group: SourceGroup, found: readonly Lost[], term: Term) => {
    const fates = new Map<Lost, Fate>();
    const call: Call = { purpose: 'repair', deadlineMs: options.claimCallMs, signal: term.signal };
    for (const lost of found) {
      term.assertTrusted();
      try {
        const fate = await tryOne(group, lost, call);
        if (fate === undefined) break;
        fates.set(lost, fate);
        // Only a platform that sends is asked for something that it counts by the minute.
        if (fate === 'sent') await sleep(options.redeliveryPauseMs, term.signal);
      } catch (error) {
        if (!(error instanceof PlatformError)) throw error;
        return { fates, problem: error };
      }
    }
    return { fates, problem: undefined };
  };

  /** Looks for those that were sent once more, until all are on record or their time is over. */
  const waitForSent = async (fates: Map<Lost, Fate>, signal: AbortSignal): Promise<void> => {
    const startedAt = now();
    for (;;) {
      const sent = [...fates].filter(([, fate]) => fate === 'sent');
      for (const [lost] of sent) {
        const record = await recordOf(lost);
        if (record !== undefined) fates.set(lost, record.state === 'ignored' ? 'irrelevant' : 'relevant');
      }
      if (sent.length === 0 || elapsedMs(startedAt) >= options.redeliveryWaitMs) return;
      if (!(await sleep(options.redeliveryWaitMs / LOOKS, signal))) return;
    }
  };

  return async (group, missed, sinceMs, term) => {
    const startedMs = Date.now();
    const question = { sinceMs, project: askingProject(group), most: MOST_LISTED };
    const answer = await missed.look(
      { ...question, isOurs: (url) => deps.isOurs(url, group.projects) },
      { purpose: 'repair', deadlineMs: options.listingDeadlineMs, signal: term.signal },
    );
    const found = await notOnRecord(group, answer.missed);
    const { fates, problem } = await tryAll(group, found.slice(0, MOST_TRIED), term);
    await waitForSent(fates, term.signal);

    const isIn = (fate: Fate | undefined): boolean => fate === 'relevant' || fate === 'irrelevant';
    const missing = [...fates].flatMap(([lost, fate]) => (isIn(fate) ? [] : [lost]));
    missing.forEach(failedTries.note);
    const open = found.filter((lost) => !isIn(fates.get(lost)) && failedTries.mayTry(lost));
    return {
      hooks: answer.hooks,
      found: fates.size,
      recovered: fates.size - missing.length,
      relevant: [...fates.values()].filter((fate) => fate === 'relevant').length,
      notArrived: missing.length,
      reachedMs: reachedMs(
        startedMs,
        answer,
        open.map(({ delivery }) => delivery),
      ),
      problem,
    };
  };
}

/** Each try that fails is one more failure in the list of the platform: without an end it would go on for ever. */
const MOST_TRIES = 3;
const MOST_REMEMBERED = 10_000;

/** In the memory of this process alone: a new leader may try afresh. */
function createFailedTries() {
  const tries = new LRUCache<string, number>({ max: MOST_REMEMBERED });
  const triesOf = ({ names }: Lost): number => tries.get(names.join()) ?? 0;
  return {
    mayTry: (lost: Lost): boolean => triesOf(lost) < MOST_TRIES,
    note: (lost: Lost): void => void tries.set(lost.names.join(), triesOf(lost) + 1),
  };
}

/** Whether a refusal says something about this delivery alone: it is gone, or not as it should be. */
function isOfOne({ kind }: PlatformError): boolean {
  return kind === 'not-found' || kind === 'conflict' || kind === 'invalid-response';
}
