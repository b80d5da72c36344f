/** Guards of leadership (PROTOCOL 9): one leader at a time, who stops before another begins. */
import type { Guard } from '../guard.ts';

export const LEADERSHIP_GUARDS: readonly Guard[] = [
  {
    name: 'acquire-lease:recovering',
    keeps: 'after a loss of data nobody leads until the leader that was forgotten has stopped trusting itself',
    killedBy: ['coordination/leases'],
  },
  {
    name: 'acquire-lease:one-leader',
    keeps: 'a lease that is held is given to nobody else',
    killedBy: ['coordination/leader'],
  },
  {
    name: 'acquire-lease:epochs-grow',
    keeps: 'a later term has a larger epoch, also when the clock of Redis goes back',
    swap: {
      file: 'redis/scripts/acquire-lease.lua',
      find: "math.max(tonumber(redis.call('GET', KEYS[2]) or 0) + 1, now)",
      put: 'now',
    },
    killedBy: ['coordination/leases'],
  },
  {
    name: 'renew-lease:lease-owner',
    keeps: 'nobody renews the lease of another',
    killedBy: ['coordination/leases'],
  },
  {
    name: 'release-lease:lease-owner',
    keeps: 'nobody gives up the lease of another',
    killedBy: ['coordination/leases'],
  },
  {
    name: 'lease:margin',
    keeps: 'a leader stops trusting itself before its lease ends',
    swap: {
      file: 'coordination/lease.ts',
      find: 'return leaseTtlMs - leaseMarginMs;',
      put: 'return leaseTtlMs;',
    },
    killedBy: ['coordination/leader'],
  },
  {
    name: 'leader:sent-to-acquire',
    keeps: 'a term is trusted from when the lease was asked for, not from the answer',
    swap: {
      file: 'coordination/leader.ts',
      find: 'const end = await lead(value, reply.epoch, sentAt, signal);',
      put: 'const end = await lead(value, reply.epoch, now(), signal);',
    },
    killedBy: ['coordination/leases'],
  },
  {
    name: 'leader:sent-to-renew',
    keeps: 'a renewal is trusted from when it was sent, not from the answer',
    swap: {
      file: 'coordination/leader.ts',
      find: 'term.renewedAt(sentAt);',
      put: 'term.renewedAt(now());',
    },
    killedBy: ['coordination/leases'],
  },
  {
    name: 'leader:trust',
    keeps: 'a leader whose renewals are not accepted any more does not go on',
    swap: {
      file: 'coordination/leader.ts',
      find: '!signal.aborted && elapsedMs(trustedSince) + forMs < trustMs;',
      put: '!signal.aborted;',
    },
    killedBy: ['coordination/leases'],
  },
  {
    name: 'leader:term-over',
    keeps: 'a term that has ended is not trusted, however much of its time is left',
    swap: {
      file: 'coordination/leader.ts',
      find: '!signal.aborted && elapsedMs(trustedSince) + forMs < trustMs;',
      put: 'elapsedMs(trustedSince) + forMs < trustMs;',
    },
    killedBy: ['coordination/leader'],
  },
  {
    name: 'leader:outlasts-write',
    keeps: 'a write to a platform is begun only while the trust outlasts it',
    swap: {
      file: 'coordination/leader.ts',
      find: 'elapsedMs(trustedSince) + forMs < trustMs;',
      put: 'elapsedMs(trustedSince) < trustMs;',
    },
    killedBy: ['coordination/leases'],
  },
  {
    name: 'leader:paused',
    keeps: 'a renewal that came too late for its own trust does not bring the term back',
    swap: {
      file: 'coordination/leader.ts',
      find: "        if (!term.trusted()) return { kind: 'lost', why: 'this replica was paused longer than its trust' };\n",
      put: '',
    },
    killedBy: ['coordination/leases'],
  },
  {
    name: 'leader:not-ours',
    keeps: 'a leader that another one has replaced ends its term',
    swap: {
      file: 'coordination/leader.ts',
      find: "if (!(await leases.renew(role, value))) return { kind: 'lost', why: 'another replica holds the lease' };",
      put: 'await leases.renew(role, value);',
    },
    killedBy: ['coordination/leader'],
  },
  {
    name: 'leader:work-raced',
    keeps: 'a leader whose work is over gives the lease up: it never looks alive and does nothing',
    swap: {
      file: 'coordination/leader.ts',
      find: 'await Promise.race([work, keepRenewing(value, term)])',
      put: 'await keepRenewing(value, term)',
    },
    killedBy: ['coordination/leader'],
  },
  {
    name: 'leader:release',
    keeps: 'a leader that ends lets another one begin at once',
    swap: {
      file: 'coordination/leader.ts',
      find: 'await leases.release(role, value).catch((error: unknown) => {',
      put: 'await Promise.resolve().catch((error: unknown) => {',
    },
    killedBy: ['coordination/leader'],
  },
  {
    name: 'leader:back-off',
    keeps: 'a replica that cannot lead leaves the others time to try',
    swap: {
      file: 'coordination/leader.ts',
      find: 'return Math.min((timing.leaseRenewMs / 10) * 2 ** (failures - 1), timing.leaseTtlMs);',
      put: 'return 0;',
    },
    killedBy: ['coordination/leader'],
  },
  {
    name: 'clock:suspended',
    keeps: 'the time in which the machine slept counts against trust',
    swap: { file: 'foundation/clock.ts', find: ', at.uptimeMs - since.uptimeMs,', put: ',' },
    killedBy: ['foundation/clock'],
  },
  {
    name: 'clock:wall',
    keeps: 'a pause that only the wall clock shows counts against trust',
    swap: { file: 'foundation/clock.ts', find: ', at.wallMs - since.wallMs)', put: ')' },
    killedBy: ['foundation/clock'],
  },
  {
    name: 'pollers:trusted',
    keeps: 'a poller whose term is over begins no claim',
    swap: {
      file: 'ingress/polls/pollers.ts',
      find: 'const mayPoll = (): boolean => loops.term.trusted();',
      put: 'const mayPoll = (): boolean => true;',
    },
    killedBy: ['ingress/polls/lost-terms'],
  },
  {
    name: 'housekeeping:trusted',
    keeps: 'a housekeeper whose term is over begins no pass',
    swap: { file: 'repair/housekeeping.ts', find: 'term.assertTrusted();', put: '' },
    killedBy: ['repair/lost-terms'],
  },
  {
    name: 'stale-jobs:trusted',
    keeps: 'a housekeeper whose term is over declares nobody dead',
    swap: { file: 'repair/stale-job-detector.ts', find: 'term.assertTrusted();', put: '' },
    killedBy: ['repair/stale-job-detector'],
  },
  {
    name: 'enqueued:trusted',
    keeps: 'a housekeeper whose term is over adds no job',
    swap: { file: 'repair/enqueued-reconciler.ts', find: 'term.assertTrusted();', put: '' },
    killedBy: ['repair/enqueued-reconciler'],
  },
  {
    name: 'dead-claims:trusted',
    keeps: 'a housekeeper whose term is over takes no claim over',
    swap: { file: 'repair/dead-claims.ts', find: 'if (!term.trusted()) return;', put: '' },
    killedBy: ['repair/dead-claims'],
  },
  {
    name: 'orphans:trusted',
    keeps: 'a housekeeper whose term is over adopts and resets no label',
    swap: { file: 'repair/orphaned-labels.ts', find: 'term.assertTrusted(options.claimCallMs);', put: '' },
    killedBy: ['repair/lost-terms'],
  },
  {
    name: 'projection:trusted',
    keeps: 'a housekeeper whose term is over begins no label',
    swap: { file: 'repair/projection.ts', find: 'if (mayWrite()) await', put: 'await' },
    killedBy: ['repair/lost-terms'],
    coveredBy: 'projection:trusted-to-write',
  },
  {
    name: 'projection:trusted-to-write',
    keeps: 'a housekeeper whose term ends meanwhile writes no label',
    swap: {
      file: 'repair/projection.ts',
      find: 'await deps.labels.project(label.run, { mayWrite, signal',
      put: 'await deps.labels.project(label.run, { mayWrite: () => true, signal',
    },
    killedBy: ['repair/lost-terms'],
  },
];
