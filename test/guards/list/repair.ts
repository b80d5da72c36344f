/** Guards of repair and recovery (PROTOCOL 6 and 7): nothing alive is declared dead, and nothing that was lost stays so. */
import type { Guard } from '../guard.ts';

export const REPAIR_GUARDS: readonly Guard[] = [
  {
    name: 'stale-jobs:two-passes',
    keeps: 'an attempt is dead when its heartbeat was missing on two passes, not on one',
    swap: {
      file: 'repair/stale-job-detector.ts',
      find: 'if (!missing.confirms(run.id, sight)) continue;',
      put: '',
    },
    killedBy: ['repair/stale-job-detector'],
  },
  {
    name: 'stale-jobs:one-term',
    keeps: 'passes of different terms do not add up',
    swap: { file: 'repair/stale-job-detector.ts', find: '`${term.epoch} ', put: '`' },
    killedBy: ['repair/stale-job-detector'],
  },
  {
    name: 'stale-jobs:unbroken-contact',
    keeps: 'passes before and after a break of the contact to Redis do not add up',
    swap: { file: 'repair/stale-job-detector.ts', find: '${deps.contacts()} ', put: '' },
    killedBy: ['repair/stale-job-detector'],
  },
  {
    name: 'stale-jobs:same-attempt',
    keeps: 'the absence of one attempt is not counted against the next one',
    swap: { file: 'repair/stale-job-detector.ts', find: ' ${run.attemptFence}`', put: '`' },
    killedBy: ['repair/stale-job-detector'],
  },
  {
    name: 'stale-jobs:missing-twice-anew',
    keeps: 'an attempt that has beaten in between must be missing twice anew',
    swap: {
      file: 'repair/stale-job-detector.ts',
      find: '        missing.forget(run.id);\n        continue;',
      put: '        continue;',
    },
    killedBy: ['repair/stale-job-detector'],
  },
  {
    name: 'stale-jobs:only-if-dead',
    keeps: 'a hand-back by repair looks at the heartbeat once more',
    swap: {
      file: 'repair/stale-job-detector.ts',
      find: '{ onlyIfDead: true, interrupted: true, reason }',
      put: '{ onlyIfDead: false, interrupted: true, reason }',
    },
    killedBy: ['repair/stale-job-detector'],
  },
  {
    name: 'stale-jobs:most-interrupted',
    keeps: 'a run whose workers die again and again is given up',
    swap: {
      file: 'repair/stale-job-detector.ts',
      find: "return run.interrupted + 1 >= MOST_INTERRUPTED ? 'fail' : 'hand-back';",
      put: "return 'hand-back';",
    },
    killedBy: ['repair/stale-job-detector'],
  },
  {
    name: 'stale-jobs:cancelled',
    keeps: 'a dead attempt whose run was cancelled gets no further turn',
    swap: {
      file: 'repair/stale-job-detector.ts',
      find: "  if (run.cancelRequested !== undefined) return 'cancel';\n",
      put: '',
    },
    killedBy: ['repair/stale-job-detector'],
  },
  {
    name: 'stale-jobs:hands-back',
    keeps: 'a run whose worker died gets another turn',
    swap: {
      file: 'repair/stale-job-detector.ts',
      find: "    if (verdict === 'hand-back') {",
      put: "    if (verdict === 'hand-back') return;\n    if (verdict === 'hand-back') {",
    },
    killedBy: ['repair/stale-job-detector'],
  },
  {
    name: 'housekeeping:recovery-window',
    keeps: 'while live workers report after a loss, nobody is declared dead and nothing is adopted',
    swap: {
      file: 'repair/housekeeping.ts',
      find: 'if (duringRecovery || deps.recoveringMs() === 0) await pass(term);',
      put: 'await pass(term);',
    },
    killedBy: ['repair/housekeeping'],
  },
  {
    name: 'enqueued:has-a-job',
    keeps: 'a run that has its job is left as it is',
    swap: {
      file: 'repair/enqueued-reconciler.ts',
      find: "return hasLiveJob ? 'leave' : 'add';",
      put: "return 'add';",
    },
    killedBy: ['repair/enqueued-reconciler'],
  },
  {
    name: 'enqueued:grace',
    keeps: 'a run that was queued a moment ago is left alone: its job may be on the way',
    swap: {
      file: 'repair/enqueued-reconciler.ts',
      find: ', minAgeMs: options.reconcileGraceMs,',
      put: ',',
    },
    killedBy: ['repair/enqueued-reconciler'],
  },
  {
    name: 'enqueued:adds-the-job',
    keeps: 'a run without a job gets its job again',
    swap: { file: 'repair/enqueued-reconciler.ts', find: 'await deps.queue.repair(turn);', put: '' },
    killedBy: ['repair/enqueued-reconciler'],
  },
  {
    name: 'dead-claims:at-work',
    keeps: 'a claim that holds its lock is not taken over',
    swap: {
      file: 'repair/dead-claims.ts',
      find: 'if (await deps.claimRecords.isLocked(run.platform, run.ticket)) return;',
      put: '',
    },
    killedBy: ['repair/dead-claims'],
    coveredBy: 'begin-claim:claim-lock',
  },
  {
    name: 'dead-claims:home',
    keeps: "a dead claim whose project has moved does not lead to somebody else's ticket of the same number",
    swap: {
      file: 'domain/routing.ts',
      find: 'return named !== undefined && projectOfRun(catalog, run) === named;',
      put: 'return named !== undefined;',
    },
    killedBy: ['repair/dead-claims'],
  },
  {
    name: 'dead-claims:takes-over',
    keeps: 'a claim that died is gone on with',
    swap: {
      file: 'repair/dead-claims.ts',
      find: 'await takeOver(run, term.signal).catch',
      put: 'await Promise.resolve().catch',
    },
    killedBy: ['repair/dead-claims'],
  },
  {
    name: 'orphans:fresh-read',
    keeps: 'a ticket is read by its id before anything is done to it: a listing may lag behind',
    swap: {
      file: 'repair/orphaned-labels.ts',
      find: 'const ticket = await platform.readTicket(hint.id, call).catch(unlessGone);',
      put: 'const ticket = hint as Ticket | undefined;',
    },
    killedBy: ['repair/orphaned-labels'],
  },
  {
    name: 'orphans:second-read',
    keeps: 'a ticket without a record is adopted only when two reads show the same',
    swap: {
      file: 'repair/orphaned-labels.ts',
      find: 'if (String(lifecyclesOf(second.ticket.labels)) === String(lifecyclesOf(first.ticket.labels))) await act(second);',
      put: 'await act(second);',
    },
    killedBy: ['repair/orphaned-labels'],
  },
  {
    name: 'orphans:record-has-the-word',
    keeps: 'a record that appears between the two reads has the word',
    swap: {
      file: 'repair/orphaned-labels.ts',
      find: 'if (second === undefined || second.run !== undefined) return;',
      put: 'if (second === undefined) return;',
    },
    killedBy: ['repair/second-reads'],
  },
  {
    name: 'orphans:lost-between',
    keeps: 'a loss of data between the two reads adopts and resets nothing',
    swap: {
      file: 'repair/orphaned-labels.ts',
      find: ' || deps.recoveringMs() > 0) return;',
      put: ') return;',
    },
    killedBy: ['repair/orphaned-labels'],
  },
  {
    name: 'orphans:may-adopt',
    keeps: 'where a second deployment writes labels, tickets without a record are left alone',
    swap: {
      file: 'repair/orphaned-labels.ts',
      find: 'if (orphans.length > 0 && !deps.mayAdopt(source.key)) {',
      put: 'if (false) {',
    },
    killedBy: ['repair/platform-pass'],
  },
  {
    name: 'orphans:anew-after-a-loss',
    keeps: 'what was listed before a loss of data counts for nothing: the listing begins with its first page',
    swap: {
      file: 'repair/source-turns.ts',
      find: 'fromStart === undefined || fromStart.incarnation !== present.incarnation',
      put: 'fromStart === undefined',
    },
    killedBy: ['repair/orphaned-labels'],
  },
  {
    name: 'orphans:moved',
    keeps: 'a ticket that was moved to another project of the tracker is not ours to write on',
    swap: {
      file: 'repair/orphaned-labels.ts',
      find: 'if (movedAway(ticket, project.source)) return undefined;',
      put: '',
    },
    killedBy: ['repair/platform-pass'],
  },
  {
    name: 'orphans:whole-listing',
    keeps: 'a listing that broke off says nothing of the runs that it did not show',
    swap: {
      file: 'repair/orphaned-labels.ts',
      find: 'if (piece.problem !== undefined) throw piece.problem;',
      put: 'if (piece.problem !== undefined) break;',
    },
    killedBy: ['repair/orphaned-labels'],
  },
  {
    name: 'recover:incarnation',
    keeps: 'another server behind the address counts as a loss: the last writes may be missing',
    swap: {
      file: 'redis/scripts/recover.lua',
      find: 'seen[1] and seen[2] == ARGV[1] and tonumber(seen[3]) >= tonumber(ARGV[4])',
      put: 'seen[1] and tonumber(seen[3]) >= tonumber(ARGV[4])',
    },
    killedBy: ['redis/connection'],
  },
  {
    name: 'recover:way-back',
    keeps: 'an earlier server that comes back counts as a loss too',
    swap: {
      file: 'redis/scripts/recover.lua',
      find: 'seen[1] and seen[2] == ARGV[1] and tonumber(seen[3]) >= tonumber(ARGV[4])',
      put: 'seen[1] and seen[2] == ARGV[1]',
    },
    killedBy: ['redis/connection'],
  },
  {
    name: 'recover:fresh-server',
    keeps: 'a server that we have started empty ourselves has lost nothing, and nobody waits',
    killedBy: ['redis/connection'],
  },
  {
    name: 'prelude:unknown-server',
    keeps: 'before anybody has looked whose data this is, nothing is done with it',
    swap: {
      file: 'redis/scripts/prelude.lua',
      find: 'if not since then return -1 end',
      put: 'if not since then return 0 end',
    },
    killedBy: ['redis/connection'],
  },
  {
    name: 'connection:checked-first',
    keeps: 'a connection is used only after it is known whose data it leads to',
    swap: {
      file: 'redis/connection.ts',
      find: "if (commands.status === 'ready') setStatus('up', 'connected');",
      put: '',
    },
    killedBy: ['redis/connection'],
  },
  {
    name: 'connection:refused-meanwhile',
    keeps: 'no script runs while that is not known',
    swap: {
      file: 'redis/connection.ts',
      find: "    if (state !== 'up') throw new OperationError(operation, new Error(`redis is unreachable (${reason})`));\n",
      put: '',
    },
    killedBy: ['redis/connection'],
  },
  {
    name: 'connection:notices-flushall',
    keeps: 'a loss that closes no connection is noticed',
    swap: {
      file: 'redis/connection.ts',
      find: "if (status.state === 'up' && noted === incarnation.id()) return;",
      put: "if (status.state === 'up') return;",
    },
    killedBy: ['redis/connection'],
  },
  {
    name: 'connection:fresh-once',
    keeps: 'data that is missing later was lost, whoever started the server',
    swap: {
      file: 'redis/incarnation.ts',
      find: 'options.freshServer === true && known === undefined;',
      put: 'options.freshServer === true;',
    },
    killedBy: ['redis/connection'],
  },
  {
    name: 'connection:demoted-master',
    keeps: 'a server that is not the master any more is left',
    swap: {
      file: 'redis/clients.ts',
      find: "message.includes('READONLY') || message.startsWith('MOVED ')",
      put: 'message === undefined',
    },
    killedBy: ['redis/connection'],
  },
  {
    name: 'connection:counts-contacts',
    keeps: 'a break of the contact is counted, so that repair begins to count anew',
    swap: {
      file: 'redis/connection.ts',
      find: "    if (state === 'up') {\n      contacts += 1;",
      put: "    if (state === 'up') {",
    },
    killedBy: ['redis/connection'],
  },
  {
    name: 'tidy-runs:newer-run',
    keeps: 'a run with the newest fence is not taken for one whose ticket was given to another',
    killedBy: ['runs/retention'],
  },
];
