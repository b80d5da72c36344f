/** Guards of the attempt (PROTOCOL 3 and 4): one at a time, and nothing written by one that was replaced. */
import type { Guard } from '../guard.ts';

export const ATTEMPT_GUARDS: readonly Guard[] = [
  {
    name: 'take-turn:take',
    keeps: 'a job whose turn is over is dropped when it is taken',
    killedBy: ['runs/attempt-records'],
  },
  {
    name: 'postpone-turn:turn',
    keeps: 'a turn that is over is not postponed',
    killedBy: ['runs/attempt-records'],
  },
  {
    name: 'end-queued:turn',
    keeps: 'only a run that waits is ended in the queue, never one at work',
    killedBy: ['runs/attempt-records'],
  },
  {
    name: 'end-queued:unheard',
    keeps: 'a service that works on a run which is ended in the queue is told',
    killedBy: ['app/unheard-services'],
  },
  {
    name: 'finish:unheard',
    keeps: 'a service that works on a run whose worker has died, and which is ended by repair, is told',
    killedBy: ['app/unheard-services'],
  },
  {
    name: 'end-queued:told',
    keeps: 'a result that a service was told is kept becomes the end of its run, also when that is ended in the queue',
    killedBy: ['runs/callback-records'],
  },
  {
    name: 'end-queued:recovering',
    keeps: 'while Redis recovers no run is ended in the queue: a failover may have put back one that is at work',
    killedBy: ['runs/lost-writes'],
  },
  {
    name: 'prelude:own-heartbeat',
    keeps: 'the end of an earlier run takes no heartbeat from the one that has the ticket by now',
    killedBy: ['runs/lost-writes'],
  },
  {
    name: 'start-attempt:recovering',
    keeps: 'while Redis recovers no attempt starts: the one that was forgotten may still be at work',
    killedBy: ['worker/turn-processor'],
  },
  {
    name: 'start-attempt:turn',
    keeps: 'a run has one attempt at a time',
    killedBy: ['runs/attempt-records'],
  },
  {
    name: 'start-attempt:ticket-run',
    keeps: 'a run that is not the one of its ticket any more does not start',
    killedBy: ['runs/attempt-records'],
  },
  {
    name: 'start-attempt:cancel-requested',
    keeps: 'a run that somebody has cancelled does not start',
    killedBy: ['worker/turn-processor'],
  },
  {
    name: 'finish:attempt-fence',
    keeps: 'only the attempt that the record names ends its run',
    killedBy: ['runs/attempt-records'],
  },
  {
    name: 'finish:equal-fence',
    keeps: 'an end is accepted from the equal fence, never from an older or a newer one',
    swap: {
      file: 'redis/scripts/finish.lua',
      find: "if seen[1] ~= 'running' or seen[2] ~= ARGV[2] then",
      put: "if seen[1] ~= 'running' or tonumber(seen[2]) > tonumber(ARGV[2]) then",
    },
    killedBy: ['runs/attempt-records'],
  },
  {
    name: 'finish:told',
    keeps: 'a result that a service was told is kept becomes the end of its run, however its attempt ends',
    killedBy: ['runs/callback-records', 'repair/stale-job-detector'],
  },
  {
    name: 'finish:alive',
    keeps: 'an attempt that beats is not ended by who thinks it dead',
    killedBy: ['runs/attempt-records'],
  },
  {
    name: 'finish:said-twice',
    keeps: 'an end whose answer was lost may be said again, and changes nothing',
    killedBy: ['runs/attempt-records'],
  },
  {
    name: 'hand-back:attempt-fence',
    keeps: 'only the attempt that was judged is handed back',
    killedBy: ['runs/attempt-records'],
  },
  {
    name: 'hand-back:equal-fence',
    keeps: 'a hand-back is accepted from the equal fence, never from an older or a newer one',
    swap: {
      file: 'redis/scripts/hand-back.lua',
      find: "if seen[1] ~= 'running' or seen[2] ~= ARGV[2] then",
      put: "if seen[1] ~= 'running' or tonumber(seen[2] or 0) > tonumber(ARGV[2]) then",
    },
    killedBy: ['runs/attempt-records'],
  },
  {
    name: 'hand-back:alive',
    keeps: 'an attempt that beats is not handed back by who thinks it dead',
    killedBy: ['runs/attempt-records', 'repair/stale-job-detector'],
  },
  {
    name: 'hand-back:new-fence',
    keeps: 'a worker that comes back to life after its run was handed back finds itself superseded',
    swap: {
      file: 'redis/scripts/hand-back.lua',
      find: "'attemptFence', int(fence), ",
      put: '',
    },
    killedBy: ['runs/attempt-records'],
  },
  {
    name: 'hand-back:next-turn',
    keeps: 'the job of a turn that was handed back starts nothing any more',
    swap: {
      file: 'redis/scripts/hand-back.lua',
      find: "redis.call('HINCRBY', KEYS[1], 'turn', 1)",
      put: "tonumber(redis.call('HGET', KEYS[1], 'turn'))",
    },
    killedBy: ['runs/attempt-records'],
  },
  {
    name: 'heartbeat:ended',
    keeps: 'a beat of an attempt whose run has ended makes no heartbeat again',
    killedBy: ['runs/attempt-records'],
  },
  {
    name: 'heartbeat:newer-fence',
    keeps: 'an attempt whose ticket was given to another one learns so, and stops',
    killedBy: ['runs/attempt-records'],
  },
  {
    name: 'heartbeat:own-attempt',
    keeps: 'a beat is compared with the record: another attempt of the same run is not this one',
    swap: {
      file: 'redis/scripts/heartbeat.lua',
      find: "tonumber(seen[2]) == mine and redis.call('HGET', KEYS[2], 'run') == ARGV[1]",
      put: "redis.call('HGET', KEYS[2], 'run') == ARGV[1]",
    },
    killedBy: ['runs/beats'],
  },
  {
    name: 'heartbeat:own-ticket',
    keeps: 'an attempt whose ticket has another run by now does not go on',
    swap: {
      file: 'redis/scripts/heartbeat.lua',
      find: "tonumber(seen[2]) == mine and redis.call('HGET', KEYS[2], 'run') == ARGV[1]",
      put: 'tonumber(seen[2]) == mine',
    },
    killedBy: ['runs/beats'],
  },
  {
    name: 'heartbeat:expired-key',
    keeps: 'a heartbeat that has expired during an outage is made again: it says nothing about who owns the ticket',
    swap: {
      file: 'redis/scripts/heartbeat.lua',
      find: "if redis.call('PEXPIRE', KEYS[3], ARGV[4]) == 0 then",
      put: "if redis.call('PEXPIRE', KEYS[3], ARGV[4]) == 0 then return {'superseded'} end\n  if false then",
    },
    killedBy: ['runs/attempt-records'],
  },
  {
    name: 'restore-attempt:newer-fence',
    keeps: 'an attempt is not written again over a newer one',
    killedBy: ['runs/attempt-records'],
  },
  {
    name: 'restore-attempt:ended',
    keeps: 'a run that has ended is not set back to work by an attempt that had not heard of it',
    killedBy: ['runs/lost-writes'],
  },
  {
    name: 'turn:ticket-closed',
    keeps: 'a ticket that was closed is not worked on, or not any longer',
    swap: {
      file: 'domain/withdrawal.ts',
      find: '  if (!ticket.open) return WITHDRAWALS.closed;\n',
      put: '',
    },
    killedBy: ['worker/turn-processor', 'claims/unwanted-runs'],
  },
  {
    name: 'turn:label-removed',
    keeps: 'a run whose trigger label was removed does not start, and does not go on',
    swap: {
      file: 'domain/withdrawal.ts',
      find: 'if (run.label !== undefined && !hasLabel(ticket.labels, run.label)) return',
      put: 'if (false) return',
    },
    killedBy: ['worker/turn-processor', 'claims/unwanted-runs'],
  },
  {
    name: 'turn:moved',
    keeps: 'a ticket that was moved away while its run waited is not worked on',
    swap: {
      file: 'domain/withdrawal.ts',
      find: 'if (movedAway(ticket, source)) return',
      put: 'if (false) return',
    },
    killedBy: ['worker/turn-processor'],
  },
  {
    name: 'turn:unreadable',
    keeps: 'a ticket that cannot be read now is tried again later, and costs no attempt',
    swap: {
      file: 'worker/turn-processor.ts',
      find: "if (error.kind === 'not-found') return await end(run, 'cancelled', 'the ticket is gone');",
      put: "return await end(run, 'cancelled', 'the ticket is gone');",
    },
    killedBy: ['worker/turn-processor'],
  },
  {
    name: 'turn:most-takes',
    keeps: 'a run that kills every worker that takes it is given up',
    swap: { file: 'worker/turn-processor.ts', find: 'if (run.takes > MOST_TAKES)', put: 'if (false)' },
    killedBy: ['worker/turn-processor'],
  },
  {
    name: 'turn:trusted-from-sending',
    keeps: 'a worker trusts itself from when it asked to start, not from the answer',
    swap: {
      file: 'worker/turn-processor.ts',
      find: 'createTrust({ ...options, startedAt });',
      put: 'createTrust({ ...options, startedAt: now() });',
    },
    killedBy: ['worker/late-answers'],
  },
  {
    name: 'turn:guard-trusts-from-sending',
    keeps: 'the guard trusts a command from when its start was asked for',
    swap: {
      file: 'worker/turn-processor.ts',
      find: 'trustedSince: startedAt,',
      put: 'trustedSince: now(),',
    },
    killedBy: ['worker/late-answers'],
  },
  {
    name: 'turn:label-needs-trust',
    keeps: 'a label is written only with more trust left than the write may take',
    swap: {
      file: 'worker/turn-processor.ts',
      find: 'mayWrite: () => trust.leftMs() > options.claimCallMs,',
      put: 'mayWrite: () => true,',
    },
    killedBy: ['worker/late-answers'],
  },
  {
    name: 'turn:draining',
    keeps: 'a worker that shuts down starts no further turn',
    swap: {
      file: 'worker/turn-processor.ts',
      find: '    if (ending.signal.aborted) return await later(run, LEAVING, false);\n    const startedAt',
      put: '    const startedAt',
    },
    killedBy: ['worker/late-answers'],
  },
  {
    name: 'attempt:superseded',
    keeps: 'an attempt that was replaced writes nothing, however its runner ends',
    swap: {
      file: 'worker/attempt.ts',
      find: "    if (cause?.kind === 'superseded') return { kind: 'superseded' };\n",
      put: '',
    },
    killedBy: ['worker/late-answers'],
  },
  {
    name: 'attempt:stops-superseded',
    keeps: 'the runner of an attempt that was replaced is stopped',
    swap: { file: 'worker/attempt.ts', find: "      stop({ kind: 'superseded' });\n", put: '' },
    killedBy: ['worker/attempt'],
  },
  {
    name: 'attempt:stops-untrusted',
    keeps: 'the runner of a worker that Redis has not heard of for its whole trust is stopped',
    swap: { file: 'worker/attempt.ts', find: "else if (trust.lost()) stop({ kind: 'trust-lost' });", put: '' },
    killedBy: ['worker/attempt'],
  },
  {
    name: 'attempt:thaws-after-recovery',
    keeps: 'what was frozen goes on like a new start: not while others may be reporting that they have the run',
    swap: {
      file: 'worker/attempt.ts',
      find: 'if (!trust.trusted() && redis.recovering()) {',
      put: 'if (false) {',
    },
    killedBy: ['worker/attempt'],
  },
  {
    name: 'attempt:revoked',
    keeps: 'an attempt that learns that it was replaced writes nothing from then on, however much trust was left',
    swap: { file: 'worker/trust.ts', find: 'revoked ? 0 : ', put: '' },
    killedBy: ['worker/trust'],
  },
  {
    name: 'attempt:beat-sent',
    keeps: 'a beat is trusted from when it was sent, not from the answer',
    swap: { file: 'worker/attempt.ts', find: 'trust.renew(sentAt);', put: 'trust.renew(now());' },
    killedBy: ['worker/late-answers'],
  },
  {
    name: 'attempt:beat-sent-to-guard',
    keeps: 'the guard trusts a beat from when it was sent, not from the answer',
    swap: { file: 'worker/attempt.ts', find: 'handle.beat(sentAt);', put: 'handle.beat(now());' },
    killedBy: ['worker/late-answers'],
  },
  {
    name: 'attempt:written-again',
    keeps: 'an attempt that Redis has lost is written again, and its end recorded',
    swap: {
      file: 'worker/attempt.ts',
      find: 'if (mayRestore() && (await records.restore(asKnown()))) break;',
      put: '',
    },
    killedBy: ['worker/attempt'],
  },
  {
    name: 'attempt:heard-wish',
    keeps: 'a wish to cancel that the worker has heard is written again with its attempt after a loss of data',
    swap: { file: 'worker/attempt.ts', find: 'records.restore(asKnown())', put: 'records.restore(run)' },
    killedBy: ['worker/forgotten-attempts'],
  },
  {
    name: 'attempt:given-away',
    keeps: 'an attempt that has given its run away is not written again after a loss of data',
    swap: {
      file: 'worker/attempt.ts',
      find: 'endKnown || !(givenAway || trust.lost())',
      put: 'endKnown || !trust.lost()',
    },
    killedBy: ['worker/late-answers'],
  },
  {
    name: 'attempt:restored-with-trust',
    keeps: 'an attempt that may have been replaced is not written again after a loss of data',
    swap: {
      file: 'worker/attempt.ts',
      find: 'endKnown || !(givenAway || trust.lost())',
      put: 'endKnown || !givenAway',
    },
    killedBy: ['worker/late-answers'],
  },
  {
    name: 'attempt:runner-gone-first',
    keeps: 'a run is handed back only after its runner is gone',
    swap: {
      file: 'worker/attempt.ts',
      find: 'return await handle.ended;',
      put: [
        'const askedToStop = async (): Promise<RunnerEnd> => {',
        '      while (cause === undefined && (await sleep(5, over.signal)));',
        "      return { kind: 'stopped', reason: 'not waited for', outputTail: '' };",
        '    };',
        '    return await Promise.race([handle.ended, askedToStop()]);',
      ].join('\n'),
    },
    killedBy: ['worker/late-answers'],
  },
  {
    name: 'attempt:failed-runner-gone-first',
    keeps: 'a run whose runner failed without a word is handed back only when its leash must have ended it',
    swap: {
      file: 'worker/attempt.ts',
      find: '(await sleep(options.trustKillMs, deps.giveUp))',
      put: 'over.signal.aborted',
    },
    killedBy: ['worker/attempt'],
  },
  {
    name: 'attempt:beats-to-the-end',
    keeps: 'beats go on until the record has taken the end, so that an outage then costs nothing',
    swap: {
      file: 'worker/attempt.ts',
      find: 'await record(runnerEnd);',
      put: '(over.abort(), await record(runnerEnd));',
    },
    killedBy: ['worker/attempt'],
  },
  {
    name: 'attempt:said-again',
    keeps: 'an end that Redis did not take is said again',
    swap: {
      file: 'worker/attempt.ts',
      find: "if (!(await sleep(options.redisProbeMs, deps.giveUp))) return { kind: 'unrecorded' };",
      put: "return { kind: 'unrecorded' };",
    },
    killedBy: ['worker/attempt'],
  },
  {
    name: 'attempt:most-interrupted',
    keeps: 'a run that is interrupted again and again is given up',
    swap: {
      file: 'worker/attempt.ts',
      find: 'if (how.interrupted && run.interrupted + 1 >= MOST_INTERRUPTED) {',
      put: 'if (false) {',
    },
    killedBy: ['worker/attempt'],
  },
  {
    name: 'attempt:handed-on',
    keeps: 'what was cut off by a shutdown counts as an interruption, unless its work goes on elsewhere',
    swap: {
      file: 'worker/attempt.ts',
      find: "cause?.kind === 'drained' && !options.leashed",
      put: "cause?.kind === 'drained'",
    },
    killedBy: ['worker/attempt'],
  },
  {
    name: 'attempt:max-attempts',
    keeps: 'a runner that can never be started is not tried for ever',
    swap: {
      file: 'worker/attempt.ts',
      find: 'return countedAttempts(run) >= options.maxAttempts',
      put: 'return false',
    },
    killedBy: ['worker/turn-processor'],
  },
  {
    name: 'ended:further-run',
    keeps: 'an end that is said again after a loss does not take the place of a further run of its ticket',
    swap: {
      file: 'worker/ended-attempts.ts',
      find: 'if (isOver) ended.delete(id);',
      put: '',
    },
    killedBy: ['worker/ended-attempts'],
  },
  {
    name: 'request-cancel:forgotten',
    keeps: 'a wish about a run that is not there makes no record',
    killedBy: ['runs/cancellations'],
  },
  {
    name: 'request-cancel:ended',
    keeps: 'a run that has ended stays as it ended, whoever wants it to end',
    killedBy: ['runs/cancellations'],
  },
  {
    name: 'request-cancel:outranked',
    keeps: 'a person who asks for the end of a run does not wait behind what was done to its ticket',
    killedBy: ['runs/cancellations', 'worker/turn-processor'],
  },
  {
    name: 'abandon-claim:cancel-requested',
    keeps:
      'a run that was cancelled while it was claimed is not forgotten with its claim, and its ticket not claimed again',
    killedBy: ['runs/cancellations'],
  },
  {
    name: 'hand-back:cancel-requested',
    keeps: 'a run that was cancelled gets no further turn when its attempt is interrupted',
    killedBy: ['runs/cancellations', 'repair/stale-job-detector'],
  },
  {
    name: 'reconciler:cancelled',
    keeps: 'a run that was cancelled and still waits in the queue does not wait for a free slot to end',
    swap: {
      file: 'repair/enqueued-reconciler.ts',
      find: "  if (cancelRequested !== undefined) return 'cancel';\n",
      put: '',
    },
    killedBy: ['runs/cancellations'],
  },
  {
    name: 'claim:cancelled-meanwhile',
    keeps: 'a run that was cancelled while it was claimed ends with the commit of its claim',
    swap: {
      file: 'claims/ticket-claim-service.ts',
      find: '      if (by !== undefined)\n',
      put: '      if (by === null)\n',
    },
    killedBy: ['runs/cancellations'],
  },
  {
    name: 'attempt:hurry',
    keeps: 'a wish that is told while a beat is on its way does not wait for the one after it',
    swap: {
      file: 'worker/attempt.ts',
      find: '      hurry = new AbortController();\n      if (await beat()) return;\n',
      put: '      const isOurs = await beat();\n      hurry = new AbortController();\n      if (isOurs) return;\n',
    },
    killedBy: ['worker/turn-processor'],
  },
  {
    name: 'attempt:last-act',
    keeps: 'an attempt that closes its own ticket as its last act is done, not cancelled',
    swap: {
      file: 'worker/attempt.ts',
      find: 'mayBeOwnAct(by) ? options.lastActMs : 0',
      put: '0',
    },
    killedBy: ['worker/turn-processor'],
  },
  {
    name: 'claim:again',
    keeps: 'a claim of a further run that died is gone on with as that, or the ticket shows again how it had ended',
    swap: {
      file: 'runs/claim-records.ts',
      find: "again: claim.again === true ? '1' : undefined",
      put: 'again: undefined',
    },
    killedBy: ['claims/further-runs'],
  },
  {
    name: 'withdrawal:sight',
    keeps: 'a sight of the ticket that is older than the run says nothing about it',
    swap: {
      file: 'claims/unwanted-runs.ts',
      find: ' && !showsItsRun(ticket)',
      put: ' && false',
    },
    killedBy: ['claims/unwanted-runs'],
  },
  {
    name: 'ended:in-one-step',
    keeps: 'a worker that dies while it says an end again leaves no run at work that had ended',
    swap: {
      file: 'worker/ended-attempts.ts',
      find: 'return await records.restore(run, end);',
      put: 'return (await records.restore(run)) && (await records.finish(name, { ...end, output: "", onlyIfDead: false })) !== "superseded";',
    },
    killedBy: ['worker/ended-attempts'],
  },
  {
    name: 'ended:said-after-a-loss',
    keeps: 'an end that Redis has lost is said again',
    swap: {
      file: 'worker/ended-attempts.ts',
      find: 'if (labelState === undefined && (await sayAgain(entry))) ended.set',
      put: 'if (labelState === undefined) ended.set',
    },
    killedBy: ['worker/ended-attempts'],
  },
  {
    name: 'open-callback:attempt-fence',
    keeps: 'only the attempt that the record names makes a token of its own known',
    killedBy: ['runs/callback-records'],
  },
  {
    name: 'keep-told:said-twice',
    keeps: 'a result whose answer was lost may be told again, also after the end of its run',
    killedBy: ['runs/callback-records'],
  },
  {
    name: 'keep-told:ended',
    keeps: 'a run that has ended takes no result any more',
    killedBy: ['runs/callback-records'],
  },
  {
    name: 'keep-told:first-word',
    keeps: 'of several results the first counts',
    killedBy: ['runs/callback-records'],
  },
];
