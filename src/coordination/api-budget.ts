/**
 * One view of each credential's API budget for all replicas: what one of them is told, none of them asks again.
 *
 *   before a request:  Redis -> own memory -> may it be sent?
 *   after an answer:   own memory -> Redis, when it was news
 *
 * What Redis answers is one more observation to the memory of this process, so one set of rules decides in both cases,
 * and an outage of Redis only means that nothing new is heard from the others. Redis keeps all times by its own clock
 * and answers durations, so the clocks of the replicas do not matter.
 *
 * Two replicas may both be let through before the first one has its refusal: what is on the wire cannot be called back.
 */
import type { Moment } from '../foundation/clock.ts';
import { messageOf } from '../foundation/errors.ts';
import type { Log } from '../foundation/log.ts';
import type { ObservedLimit } from '../platforms/error-kinds.ts';
import { LONGEST_WAIT_MS } from '../platforms/limit-headers.ts';
import { type Budget, createBudgetMemory, type RateLimits, sameWindowMs } from '../platforms/rate-limits.ts';
import type { RedisConnection } from '../redis/connection.ts';

export interface ApiBudgetDeps {
  readonly redis: Pick<RedisConnection, 'keys' | 'script'>;
  readonly log: Log;
  /** Heeds what the others learnt and tells them nothing: for those who only look. */
  readonly listensOnly?: boolean;
}

/** The limits of one credential, shared by all processes on this Redis. */
export function createApiBudget(deps: ApiBudgetDeps, credential: string, clock?: () => Moment): RateLimits {
  const { redis, log, listensOnly = false } = deps;
  const memory = createBudgetMemory(clock);
  let alone = false;

  /** Tells Redis of one observation, and takes in and answers what it says of the credential. */
  const exchange = async (observed: Told, place: string): Promise<ObservedLimit> => {
    const { waitMs = 0, only = '', limit = '', remaining = '', windowMs, resetMs = windowMs ?? 0 } = observed;
    const saysWindow = resetMs > 0 && only === '';
    const reply = await redis.script(
      'share-budget',
      [redis.keys.budget(credential)],
      [
        place,
        waitMs,
        only,
        limit,
        saysWindow ? remaining : '',
        resetMs,
        windowMs ?? '',
        sameWindowMs(windowMs),
        LONGEST_WAIT_MS,
      ],
    );
    const [, held, heldHere, ...window] = reply.map(String);
    const told = { waitMs: Number(held), ...windowOf(window) };
    memory.learn(told, place);
    memory.learn({ waitMs: Number(heldHere), only: 'path' }, place);
    return told;
  };

  const share = async (observed: Told, place: string): Promise<void> => {
    try {
      const told = await exchange(observed, place);
      alone = false;
      const own = memory.budget();
      // After an outage, or when Redis has lost its data: the others hear of all that this replica still knows.
      if (!listensOnly && knowsMore(own, told)) await exchange({ waitMs: own.heldMs, ...own.window }, place);
    } catch (error) {
      if (!alone)
        log.debug({ credential, error: messageOf(error) }, 'api budget not shared, what this replica saw counts');
      alone = true;
    }
  };

  return {
    async hold(purpose, place) {
      await share({}, place);
      return memory.hold(purpose, place);
    },
    async learn(observed, place) {
      if (memory.learn(observed, place) && !listensOnly) await share(observed, place);
    },
    async look() {
      await share({}, '');
      return memory.budget();
    },
    budget: memory.budget,
  };
}

/** Whether a replica remembers what Redis does not. A second is for the way there and back. */
function knowsMore({ heldMs, window }: Budget, told: ObservedLimit): boolean {
  const knowsWindow = window !== undefined && window.resetMs > A_MOMENT_MS;
  return heldMs > (told.waitMs ?? 0) + A_MOMENT_MS || (knowsWindow && told.remaining === undefined);
}

const A_MOMENT_MS = 1_000;

/** An observation that may leave anything open. */
type Told = { readonly [Key in keyof ObservedLimit]: ObservedLimit[Key] | undefined };

/** The window in the reply of the script; empty texts are what is not known. */
function windowOf([limit = '', remaining = '', resetMs = '', windowMs = '']: readonly string[]): ObservedLimit {
  if (remaining === '') return {};
  return {
    remaining: Number(remaining),
    resetMs: Number(resetMs),
    ...(limit === '' ? {} : { limit: Number(limit) }),
    ...(windowMs === '' ? {} : { windowMs: Number(windowMs) }),
  };
}
