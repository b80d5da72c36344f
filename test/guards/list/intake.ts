/** Guards of the queue, the deliveries and the budget (PROTOCOL 3 and 8): what was taken in is worked off once. */
import type { Guard } from '../guard.ts';

export const INTAKE_GUARDS: readonly Guard[] = [
  {
    name: 'queue:one-job-a-turn',
    keeps: 'a turn has one job, however often it is added',
    swap: {
      file: 'queue/run-queue.ts',
      find: '{ jobId: jobId(turn), delay: options.delayMs ?? 0 }',
      put: '{ delay: options.delayMs ?? 0 }',
    },
    killedBy: ['queue/run-queue'],
  },
  {
    name: 'queue:turn-in-the-id',
    keeps: 'a later turn is not swallowed by the job of an earlier one',
    swap: { file: 'queue/run-queue.ts', find: '`${turn.run}-${turn.turn}`', put: '`${turn.run}-`' },
    killedBy: ['queue/turns'],
  },
  {
    name: 'queue:nothing-retained',
    keeps: 'a job that is over leaves nothing behind that would swallow its turn',
    swap: {
      file: 'queue/run-queue.ts',
      find: 'removeOnComplete: true, removeOnFail: true',
      put: 'removeOnComplete: false, removeOnFail: false',
    },
    killedBy: ['queue/run-queue'],
  },
  {
    name: 'queue:dead-job',
    keeps: 'a dead job that is retained does not pass for one that will be worked on',
    swap: {
      file: 'queue/run-queue.ts',
      find: 'if (job !== undefined && !LIVE_STATES.has(await job.getState())) await job.remove();',
      put: '',
    },
    killedBy: ['queue/run-queue'],
  },
  {
    name: 'queue:paused',
    keeps: 'a consumer that was paused gives back the job that came after all',
    swap: { file: 'queue/run-queue.ts', find: 'const outcome = paused\n', put: 'const outcome = false\n' },
    killedBy: ['queue/run-queue'],
  },
  {
    name: 'accept-delivery:duplicate',
    keeps: 'a delivery that is known is not worked off twice',
    killedBy: ['runs/delivery-records'],
  },
  {
    name: 'accept-delivery:payload-hash',
    keeps: 'one id with another payload does nothing',
    killedBy: ['runs/delivery-records'],
  },
  {
    name: 'accept-delivery:full',
    keeps: 'what waits to be worked off has a bound',
    killedBy: ['runs/delivery-records'],
  },
  {
    name: 'accept-delivery:due',
    keeps: 'an accepted delivery makes its ticket due in the same step',
    swap: {
      file: 'redis/scripts/accept-delivery.lua',
      find: "redis.call('ZADD', KEYS[3], at, key) end",
      put: 'end',
    },
    killedBy: ['runs/delivery-records'],
  },
  {
    name: 'accept-delivery:being-looked-at',
    keeps: 'a ticket that is being looked at is not handed out to a second taker',
    swap: {
      file: 'redis/scripts/accept-delivery.lua',
      find: 'if not lease or tonumber(lease) <= now then',
      put: 'if true then',
    },
    killedBy: ['runs/delivery-records'],
  },
  {
    name: 'take-inbox:lease',
    keeps: 'a taker that dies leaves a ticket that becomes due again',
    swap: {
      file: 'redis/scripts/take-inbox.lua',
      find: "redis.call('ZADD', KEYS[1], lease, ticket)",
      put: "redis.call('ZREM', KEYS[1], ticket)",
    },
    killedBy: ['runs/delivery-records'],
  },
  {
    name: 'take-inbox:one-taker',
    keeps: 'a ticket is handed out to one taker at a time',
    swap: {
      file: 'redis/scripts/take-inbox.lua',
      find: "redis.call('ZADD', KEYS[1], lease, ticket)",
      put: "redis.call('ZADD', KEYS[1], int(now), ticket)",
    },
    killedBy: ['runs/delivery-records'],
  },
  {
    name: 'settle-inbox:handed-out',
    keeps: 'only the deliveries that were handed out are settled, not one that came again under its name',
    swap: { file: 'redis/scripts/settle-inbox.lua', find: 'if received == ARGV[i + 1] then', put: 'if received then' },
    killedBy: ['runs/delivery-records'],
  },
  {
    name: 'settle-inbox:own-lease',
    keeps: 'a taker that comes back late takes nothing from its successor',
    swap: {
      file: 'redis/scripts/settle-inbox.lua',
      find: "local mine = redis.call('HGET', KEYS[1], '@lease') == ARGV[2]",
      put: 'local mine = true',
    },
    killedBy: ['runs/delivery-records'],
  },
  {
    name: 'settle-inbox:arrived-since',
    keeps: 'what has arrived since the ticket was handed out makes it due at once',
    swap: {
      file: 'redis/scripts/settle-inbox.lua',
      find: 'if left == 0 then',
      put: 'if left == 0 or mine then',
    },
    killedBy: ['runs/delivery-records'],
  },
  {
    name: 'receiver:persisted-first',
    keeps: 'what Redis did not take is not accepted',
    swap: {
      file: 'ingress/deliveries/delivery-receiver.ts',
      find: "return { kind: 'not-persisted', why: 'redis_unavailable' };",
      put: "return { kind: 'accepted', delivery: '' };",
    },
    killedBy: ['ingress/deliveries/delivery-receiver'],
  },
  {
    name: 'receiver:no-proof',
    keeps: 'a request that proves no secret starts nothing',
    swap: {
      file: 'ingress/deliveries/webhook-doors.ts',
      find: 'allowUnsigned || secrets.some((secret) => proven.has(secret))',
      put: 'secrets.length > 0 || allowUnsigned',
    },
    killedBy: ['ingress/deliveries/delivery-receiver'],
  },
  {
    name: 'receiver:own-projects',
    keeps: "what one project's secret has proven starts nothing in another one",
    swap: {
      file: 'ingress/deliveries/webhook-doors.ts',
      find: 'allowUnsigned || secrets.some((secret) => proven.has(secret))',
      put: 'allowUnsigned || proven.size > 0',
    },
    killedBy: ['ingress/deliveries/delivery-receiver'],
  },
  {
    name: 'signature:missing',
    keeps: 'no signature, or an empty secret, is no proof',
    swap: {
      file: 'platforms/webhook.ts',
      find: "if (given === undefined || secret === '') return false;",
      put: 'if (given === undefined) return true;',
    },
    killedBy: ['ingress/deliveries/delivery-receiver'],
  },
  {
    name: 'signature:empty-secret',
    keeps: 'an empty secret is proven by nobody',
    swap: {
      file: 'platforms/webhook.ts',
      find: "if (given === undefined || secret === '') return false;",
      put: 'if (given === undefined) return false;',
    },
    killedBy: ['platforms/empty-secrets'],
  },
  {
    name: 'signature:wrong',
    keeps: 'a signature by another secret is no proof',
    swap: {
      file: 'platforms/webhook.ts',
      find: 'return one.length === other.length && timingSafeEqual(one, other);',
      put: 'return one.length === other.length;',
    },
    killedBy: ['ingress/deliveries/delivery-receiver'],
  },
  {
    name: 'signature:same-secret',
    keeps: 'a secret that is sent along is compared, and an empty one proves nothing',
    swap: {
      file: 'foundation/same-secret.ts',
      find: "if (given === undefined || secret === '') return false;",
      put: 'if (given === undefined) return false;',
    },
    killedBy: ['platforms/empty-secrets'],
  },
  {
    name: 'inbox:among',
    keeps: 'only the projects that the delivery may reach take its ticket',
    swap: {
      file: 'claims/claim-request.ts',
      find: 'request.among?.has(name) ?? true',
      put: 'request.among?.has(name) !== null',
    },
    killedBy: ['ingress/deliveries/inbox'],
  },
  {
    name: 'inbox:retries',
    keeps: 'a claim that failed for now is tried again',
    swap: {
      file: 'ingress/deliveries/inbox-settlement.ts',
      find: 'again: { inMs, untilAgeMs: patience.inboxGiveUpMs },',
      put: '',
    },
    killedBy: ['ingress/deliveries/inbox-settlement'],
  },
  {
    name: 'budget:wait-of-others',
    keeps: 'what one replica was asked to wait, all wait',
    swap: { file: 'coordination/api-budget.ts', find: 'memory.learn(told, place);', put: '' },
    killedBy: ['coordination/api-budget'],
  },
  {
    name: 'share-budget:longer-wait',
    keeps: 'a shorter wait never ends a longer one',
    swap: {
      file: 'redis/scripts/share-budget.lua',
      find: "ARGV[3] == '' and wait_until > math.max(held, now) then",
      put: "ARGV[3] == '' and wait_until > now then",
    },
    killedBy: ['coordination/api-budget'],
  },
  {
    name: 'share-budget:smaller-number',
    keeps: 'of two answers that overtake each other the smaller number counts',
    swap: {
      file: 'redis/scripts/share-budget.lua',
      find: 'elseif later >= -apart and tonumber(ARGV[5]) < tonumber(remaining) then',
      put: 'elseif later >= -apart then',
    },
    killedBy: ['coordination/api-budget'],
  },
  {
    name: 'budget:kept-for-work',
    keeps: 'who only looks for work leaves the last tenth of a budget to claims and labels',
    swap: {
      file: 'platforms/rate-limits.ts',
      find: "  return { waitMs: window.resetMs, why: 'kept-for-work' };",
      put: '  return undefined;',
    },
    killedBy: ['platforms/rate-limits'],
  },
];
