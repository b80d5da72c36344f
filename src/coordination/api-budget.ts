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
import { createBudgetMemory, type RateLimits, sameWindowMs } from '../platforms/rate-limits.ts';
import type { RedisConnection } from '../redis/connection.ts';

/** The limits of one credential, shared by all processes on this Redis. */
export function createApiBudget(
  { redis, log }: { readonly redis: Pick<RedisConnection, 'keys' | 'script'>; readonly log: Log },
  credential: string,
  clock?: () => Moment,
): RateLimits {
  const memory = createBudgetMemory(clock);
  let alone = false;

  /** What this replica knows; what waits for one path alone is left out. */
  const ownView = (): Told => {
    const { heldMs, window } = memory.budget();
    return { waitMs: heldMs, ...window };
  };

  const share = async (observed: Told, place: string): Promise<void> => {
    // After an outage the others are told all that this replica learnt meanwhile.
    const told = alone && observed.only !== 'path' ? ownView() : observed;
    const { waitMs = 0, only = '', limit = '', remaining = '', windowMs, resetMs = windowMs ?? 0 } = told;
    const saysWindow = resetMs > 0 && only === '';
    try {
      const reply = await redis.script(
        'share-budget',
        [redis.keys.budget(credential)],
        [place, waitMs, only, limit, saysWindow ? remaining : '', resetMs, windowMs ?? '', sameWindowMs(windowMs)],
      );
      alone = false;
      const [, held, heldHere, ...window] = reply.map(String);
      memory.learn({ waitMs: Number(held), ...windowOf(window) }, place);
      memory.learn({ waitMs: Number(heldHere), only: 'path' }, place);
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
      if (memory.learn(observed, place)) await share(observed, place);
    },
    async look() {
      await share({}, '');
      return memory.budget();
    },
    budget: memory.budget,
  };
}

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
