/** Guards of the claim (PROTOCOL 2): one claim at a time, one run at a time, and none that is lost on the way. */
import type { Guard } from '../guard.ts';

export const CLAIM_GUARDS: readonly Guard[] = [
  {
    name: 'begin-claim:recovering',
    keeps: 'while Redis recovers from a loss nothing is claimed: a live worker may still be at work on the ticket',
    killedBy: ['claims/claim-outcomes'],
  },
  {
    name: 'begin-claim:live-run',
    keeps: 'a ticket whose run waits or is at work gets no second one',
    killedBy: ['claims/claim-outcomes'],
    seenFromOutside: true,
  },
  {
    name: 'begin-claim:unconfirmed',
    keeps: 'no new run while the label of the last one is still being written',
    killedBy: ['claims/claim-outcomes'],
  },
  {
    name: 'begin-claim:claim-lock',
    keeps: 'one claim of a ticket at a time',
    killedBy: ['claims/failing-claims'],
  },
  {
    name: 'begin-claim:back-off',
    keeps: 'a ticket that was refused for good is left alone for a while',
    killedBy: ['claims/claim-outcomes'],
  },
  {
    name: 'begin-claim:too-many-runs',
    keeps: 'a ticket that comes back again and again is stopped',
    killedBy: ['claims/claim-outcomes'],
  },
  {
    name: 'begin-claim:same-run',
    keeps: 'a claim that died is gone on with as the same run',
    swap: {
      file: 'redis/scripts/begin-claim.lua',
      find: 'local id = takeover and current or ARGV[1]',
      put: 'local id = ARGV[1]',
    },
    killedBy: ['claims/failing-claims'],
  },
  {
    name: 'begin-claim:new-fence',
    keeps: 'a take-over has a fence of its own, so that the claim that seemed dead cannot go on beside it',
    swap: {
      file: 'redis/scripts/begin-claim.lua',
      find: "local fields = takeover and {'fence', fence}",
      put: 'local fields = takeover and {}',
    },
    killedBy: ['claims/failing-claims'],
  },
  {
    name: 'commit-claim:claim-fence',
    keeps: 'only the claim that holds the record makes a run of it, once',
    killedBy: ['claims/failing-claims'],
    seenFromOutside: true,
  },
  {
    name: 'commit-claim:only-received',
    keeps: 'a run that has begun is not put back into the queue by a commit that is said twice',
    swap: {
      file: 'redis/scripts/commit-claim.lua',
      find: "if seen[1] ~= 'received' or seen[2] ~= ARGV[2] then",
      put: 'if seen[2] ~= ARGV[2] then',
    },
    killedBy: ['claims/failing-claims'],
  },
  {
    name: 'commit-claim:equal-fence',
    keeps: 'a claim that another one has taken over does not commit',
    swap: {
      file: 'redis/scripts/commit-claim.lua',
      find: "if seen[1] ~= 'received' or seen[2] ~= ARGV[2] then",
      put: "if seen[1] ~= 'received' then",
    },
    killedBy: ['claims/failing-claims'],
  },
  {
    name: 'commit-claim:own-lock',
    keeps: 'a commit gives up its own lock, never the one of the next claim',
    swap: {
      file: 'redis/scripts/commit-claim.lua',
      find: "if redis.call('GET', KEYS[6]) == ARGV[4] then redis.call('DEL', KEYS[6]) end",
      put: "redis.call('DEL', KEYS[6])",
    },
    killedBy: ['claims/claim-locks'],
  },
  {
    name: 'abandon-claim:abandon-fence',
    keeps: 'a claim that was taken over does not remove the record of its successor',
    killedBy: ['claims/failing-claims'],
  },
  {
    name: 'abandon-claim:own-lock',
    keeps: 'a claim that gives up releases its own lock, never the one of the next claim',
    swap: {
      file: 'redis/scripts/abandon-claim.lua',
      find: "if redis.call('GET', KEYS[3]) == ARGV[3] then redis.call('DEL', KEYS[3]) end",
      put: "redis.call('DEL', KEYS[3])",
    },
    killedBy: ['claims/claim-locks'],
  },
  {
    name: 'release-lock:lock-owner',
    keeps: 'a lock is released by its holder, never by who held it before',
    killedBy: ['claims/claim-locks'],
  },
  {
    name: 'prelude:fences-grow',
    keeps: 'a fence is larger than every earlier one, also when the clock of Redis goes back',
    swap: {
      file: 'redis/scripts/prelude.lua',
      find: 'return math.max(tonumber(last or 0) + 1, now)',
      put: 'return now',
    },
    killedBy: ['runs/fences'],
  },
  {
    name: 'prelude:fences-outlive-records',
    keeps: 'a fence is larger than every earlier one, also when the ticket record was lost',
    swap: {
      file: 'redis/scripts/prelude.lua',
      find: 'return math.max(tonumber(last or 0) + 1, now)',
      put: 'return tonumber(last or 0) + 1',
    },
    killedBy: ['runs/fences'],
  },
  {
    name: 'judge:moved',
    keeps: 'a ticket that was moved to a project that nobody watches is not run',
    swap: {
      file: 'domain/eligibility.ts',
      find: "  if (projects.some(({ source }) => movedAway(ticket, source))) return no('moved');\n",
      put: '',
    },
    killedBy: ['claims/claim-outcomes'],
  },
  {
    name: 'judge:closed',
    keeps: 'a closed ticket is not run',
    swap: { file: 'domain/eligibility.ts', find: "  if (!ticket.open) return no('closed');\n", put: '' },
    killedBy: ['claims/claim-outcomes'],
  },
  {
    name: 'judge:eligibility',
    keeps: 'a ticket that is labelled enqueued, in-progress, done or failed is not one that wants a run',
    swap: {
      file: 'domain/eligibility.ts',
      find: "  if (shown !== undefined && shown !== 'pending' && !resuming) return no(shown);\n",
      put: '',
    },
    killedBy: ['domain/label-table'],
    seenFromOutside: true,
  },
  {
    name: 'judge:resumed-only',
    keeps: 'an `enqueued` is gone on with only by who takes over the claim that wrote it',
    swap: {
      file: 'domain/eligibility.ts',
      find: "const resuming = mode === 'resumed' && shown === 'enqueued';",
      put: "const resuming = shown === 'enqueued';",
    },
    killedBy: ['claims/claim-outcomes', 'labels/label-rows'],
  },
  {
    name: 'judge:asked',
    keeps: 'a ticket that nobody asked to be run is left alone',
    swap: {
      file: 'domain/pipeline-resolver.ts',
      find: "if (!labels.some((label) => lifecycleOf(label) === 'pending')) return undefined;",
      put: '',
    },
    killedBy: ['domain/keys-and-routing'],
  },
  {
    name: 'listing:candidates',
    keeps: 'a ticket that is at work or has ended is dropped from a listing, and costs no claim',
    swap: { file: 'ingress/polls/listing.ts', find: 'wanted: isCandidate,', put: 'wanted: () => true,' },
    killedBy: ['ingress/polls/pollers'],
  },
  {
    name: 'gates:that-ticket',
    keeps: 'what the platform shows is the ticket whose lock is held, or nothing is done with it',
    swap: {
      file: 'claims/claim-gates.ts',
      find: 'if (ticket.key === ticketKey(project.source, request.ticketId)) return ticket;',
      put: 'return ticket;',
    },
    killedBy: ['claims/claim-outcomes'],
  },
  {
    name: 'gates:hidden-ticket',
    keeps: 'a ticket that is hidden for a while does not end the claim that died on it',
    swap: {
      file: 'claims/claim-gates.ts',
      find: 'if (hidden && (!resumed || ageMs >= options.labelGiveUpMs)) return undefined;',
      put: 'if (hidden) return undefined;',
    },
    killedBy: ['claims/failing-claims'],
  },
  {
    name: 'gates:second-read',
    keeps: 'right after a run one read is not enough: it may lag behind our own write',
    swap: {
      file: 'claims/claim-gates.ts',
      find: "const doubtful = lifecycle !== 'enqueued' && isDoubtful(claim);",
      put: 'const doubtful = false;',
    },
    killedBy: ['claims/claim-outcomes'],
  },
  {
    name: 'gates:looks-apart',
    keeps: 'two looks that are to agree are some time apart',
    swap: {
      file: 'foundation/second-look.ts',
      find: 'if (first?.fact === fact) return elapsedMs(first.at) >= options.apartMs;',
      put: 'if (first?.fact === fact) return true;',
    },
    killedBy: ['foundation/second-look'],
  },
  {
    name: 'gates:allowed-actors',
    keeps: 'who may not ask for a run starts none',
    swap: {
      file: 'claims/claim-gates.ts',
      find: "return isAllowed ? { actor } : { actor, refusal: notEligible('actor-not-allowed') };",
      put: 'return { actor };',
    },
    killedBy: ['claims/claim-outcomes'],
  },
  {
    name: 'gates:unknown-actor',
    keeps: 'where it matters who asked, an unknown actor starts none',
    swap: {
      file: 'claims/claim-gates.ts',
      find: "if (actor === undefined) return { refusal: notEligible('actor-unknown') };",
      put: 'if (actor === undefined) return {};',
    },
    killedBy: ['claims/claim-outcomes'],
  },
  {
    name: 'gates:lock-reserve',
    keeps: 'a label write is not begun unless the lock outlasts it',
    swap: {
      file: 'claims/claim-gates.ts',
      find: 'return lockLeftMs >= options.claimLockReserveMs && claim.leftMs() > 0;',
      put: 'return claim.leftMs() > 0;',
    },
    killedBy: ['claims/claim-outcomes'],
  },
  {
    name: 'gates:claim-deadline',
    keeps: 'a label write is not begun when the time of the claim is over',
    swap: {
      file: 'claims/claim-gates.ts',
      find: 'return lockLeftMs >= options.claimLockReserveMs && claim.leftMs() > 0;',
      put: 'return lockLeftMs >= options.claimLockReserveMs;',
    },
    killedBy: ['claims/claim-locks'],
  },
  {
    name: 'claim:call-deadline',
    keeps: 'no call of a claim outlives the claim',
    swap: {
      file: 'claims/claim-request.ts',
      find: 'Math.max(1, Math.min(options.claimCallMs, leftMs()))',
      put: 'options.claimCallMs',
    },
    killedBy: ['claims/failing-claims'],
  },
  {
    name: 'claim:time-to-withdraw',
    keeps: 'the label of a dead claim is taken back only while the lock outlasts the write',
    swap: {
      file: 'claims/ticket-claim-service.ts',
      find: '      if (!held.mayWrite()) return await giveBack(held);\n      const before',
      put: '      const before',
    },
    killedBy: ['claims/claim-locks'],
  },
  {
    name: 'claim:ambiguous-answer',
    keeps: 'a label write that may have happened keeps its record: whoever comes next goes on',
    swap: {
      file: 'claims/ticket-claim-service.ts',
      find: 'keep: !untouched || held.resumed',
      put: 'keep: held.resumed',
    },
    killedBy: ['claims/failing-claims'],
  },
  {
    name: 'claim:resumed-record',
    keeps: 'the record of a dead claim stays when its take-over is refused: its label may be there',
    swap: {
      file: 'claims/ticket-claim-service.ts',
      find: 'keep: !untouched || held.resumed',
      put: 'keep: !untouched',
    },
    killedBy: ['claims/failing-claims'],
  },
  {
    name: 'claim:takes-label-back',
    keeps: 'a dead claim that comes to nothing leaves no `enqueued` that nobody follows',
    swap: {
      file: 'claims/ticket-claim-service.ts',
      find: 'if (held.resumed && hasLabel(ticket.labels, ENQUEUED)) {',
      put: 'if (!held.resumed && hasLabel(ticket.labels, ENQUEUED)) {',
    },
    killedBy: ['claims/failing-claims'],
  },
  {
    name: 'claim:superseded',
    keeps: 'a claim whose commit was refused adds no job and claims nothing',
    swap: {
      file: 'claims/ticket-claim-service.ts',
      find: "if (committed === undefined) return failed('contended', 'another claim took this one over');",
      put: "if (committed === undefined) return { kind: 'claimed', run: id, project: project.name, pipeline: route.pipeline };",
    },
    killedBy: ['claims/killed-claims'],
  },
];
