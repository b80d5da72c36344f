/** Guards of the leash (PROTOCOL 4): a command is gone before its ticket can be somebody else's. */
import type { Guard } from '../guard.ts';

export const LEASH_GUARDS: readonly Guard[] = [
  {
    name: 'leash:worker-died',
    keeps: 'a command dies with its worker',
    swap: { file: 'worker/guard/guard-process.ts', find: "process.on('disconnect', endWithWorker);", put: '' },
    killedBy: ['worker/guard/guard-faults', 'worker/dead-worker'],
  },
  {
    name: 'leash:kills-with-worker',
    keeps: 'a guard that outlives its worker kills the groups before it ends',
    swap: {
      file: 'worker/guard/guard-process.ts',
      find: 'for (const command of commands.values()) command.kill();',
      put: '',
    },
    killedBy: ['worker/guard/guard-faults', 'worker/dead-worker'],
  },
  {
    name: 'leash:outlives-signals',
    keeps: 'whoever ends a worker does not end its guard first',
    swap: {
      file: 'worker/guard/guard-process.ts',
      find: "for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);",
      put: '',
    },
    killedBy: ['worker/guard/guard-faults'],
  },
  {
    name: 'leash:trust-kill',
    keeps: 'a command whose worker stands still is killed when the trust is over',
    swap: { file: 'worker/guard/leash.ts', find: "  if (beatAgeMs >= timing.trustKillMs) return 'kill';\n", put: '' },
    killedBy: ['worker/guard/leash'],
  },
  {
    name: 'leash:trust-term',
    keeps: 'a command whose worker stands still is told to end before it is killed',
    swap: {
      file: 'worker/guard/leash.ts',
      find: "return spared ? 'freeze' : 'term';",
      put: "return spared ? 'freeze' : 'none';",
    },
    killedBy: ['worker/guard/leash'],
  },
  {
    name: 'leash:freezes-without-trust',
    keeps: 'a command that is spared executes nothing while its worker is not trusted',
    swap: {
      file: 'worker/guard/leash.ts',
      find: "return spared ? 'freeze' : 'term';",
      put: "return spared ? 'none' : 'term';",
    },
    killedBy: ['worker/guard/leash'],
  },
  {
    name: 'leash:stays-frozen',
    keeps: 'a frozen command is frozen again at every look, whoever thawed it',
    swap: {
      file: 'worker/guard/leash.ts',
      find: "return spared ? 'freeze' : 'kill';",
      put: "return spared ? 'none' : 'kill';",
    },
    killedBy: ['worker/guard/leash'],
  },
  {
    name: 'leash:thaws-with-trust',
    keeps: 'a frozen command goes on only with an accepted beat',
    swap: { file: 'worker/guard/leash.ts', find: "if (trusted) return 'thaw';", put: "if (!spared) return 'thaw';" },
    killedBy: ['worker/guard/leash'],
  },
  {
    name: 'leash:not-spared-for-ever',
    keeps: 'a command is spared only as long as there is a reason to',
    swap: {
      file: 'worker/guard/leash.ts',
      find: 'spareAgeMs < timing.trustTermMs;',
      put: 'true;',
    },
    killedBy: ['worker/guard/leash'],
  },
  {
    name: 'leash:stop-grace',
    keeps: 'a command that ignores SIGTERM is killed after the grace',
    swap: {
      file: 'worker/guard/leash.ts',
      find: "return stoppingMs >= timing.stopGraceMs ? 'kill' : 'none';",
      put: "return 'none';",
    },
    killedBy: ['worker/guard/leash'],
  },
  {
    name: 'leash:leftovers',
    keeps: 'what a command leaves behind is ended before its attempt counts as ended',
    swap: { file: 'worker/guard/leash.ts', find: "  if (exited) return 'term';\n", put: '' },
    killedBy: ['worker/guard/leash'],
  },
  {
    name: 'leash:group-gone',
    keeps: 'an attempt has ended when nothing of its process group is alive, not when its first process has exited',
    swap: {
      file: 'worker/guard/supervised-command.ts',
      find: 'if (ending !== undefined && groupIsGone(pid)) {',
      put: 'if (ending !== undefined) {',
    },
    killedBy: ['worker/guard/guard'],
  },
  {
    name: 'leash:late-start',
    keeps: 'a start that was under way while its worker stood still does not happen any more',
    swap: {
      file: 'worker/guard/supervised-command.ts',
      find: "  if (elapsedMs(spec.trustedSince) >= timing.trustTermMs) return neverStarted({ kind: 'trust-lost' });\n",
      put: '',
    },
    killedBy: ['worker/guard/guard'],
  },
  {
    name: 'leash:own-group',
    keeps: 'a command has a process group of its own, so that its children are reached too',
    swap: {
      file: 'worker/guard/supervised-command.ts',
      find: '      detached: true,\n',
      put: '',
    },
    killedBy: ['worker/guard/guard'],
  },
  {
    name: 'leash:beat-from-sending',
    keeps: 'a beat counts from when it was sent, not from when the guard reads it',
    swap: {
      file: 'worker/guard/supervised-command.ts',
      find: 'if (elapsedMs(sentAt) < elapsedMs(lastBeat)) lastBeat = sentAt;',
      put: 'if (elapsedMs(sentAt) < elapsedMs(lastBeat)) lastBeat = now();',
    },
    killedBy: ['worker/guard/late-news'],
  },
  {
    name: 'leash:guard-died',
    keeps: 'a worker whose guard died kills what it held, and does not wait for it',
    swap: {
      file: 'worker/guard/guard-link.ts',
      find: 'void bury(attempt);',
      put: "settle(attempt, { kind: 'guard-lost', outputTail: '' });",
    },
    killedBy: ['worker/guard/guard-faults'],
  },
  {
    name: 'leash:seen-gone',
    keeps: 'what a dead guard held has not ended while nobody can look for it',
    swap: {
      file: 'worker/guard/guard-link.ts',
      find: '        told = true;\n',
      put: "        settle(attempt, { kind: 'guard-lost', outputTail: '' });\n        return;\n",
    },
    killedBy: ['worker/guard/starved-worker'],
  },
  {
    name: 'leash:gone-is-certain',
    keeps: 'a process group is not taken for gone while nobody can look at it',
    swap: {
      file: 'worker/guard/process-group.ts',
      find: 'Whoever asks will ask again.\n    return false;',
      put: '\n    return true;',
    },
    killedBy: ['worker/guard/starved-worker'],
  },
  {
    name: 'leash:unreported-group',
    keeps: 'a group that the guard had started and not yet reported is found and killed as well',
    swap: {
      file: 'worker/guard/guard-link.ts',
      find: 'new Set(groupsWithEnvironment(`${GUARD_MARK}=${attempt.id}`))',
      put: 'new Set<number>()',
    },
    killedBy: ['worker/guard/late-news'],
  },
  {
    name: 'leash:silent-guard',
    keeps: 'a guard that stands still is killed, and its groups with it',
    swap: { file: 'worker/guard/guard-link.ts', find: "child.kill('SIGKILL');\n  };", put: '};' },
    killedBy: ['worker/guard/guard-faults'],
  },
  {
    name: 'leash:stop-before-start',
    keeps: 'a stop that comes before the command is started stops it all the same',
    swap: {
      file: 'worker/runners/command-runner.ts',
      find: "      if (stopReason !== undefined) return { kind: 'stopped', reason: stopReason, outputTail: '' };\n",
      put: '',
    },
    killedBy: ['worker/runners/command-runner'],
  },
  {
    name: 'timing:kill-before-ttl',
    keeps: 'a runner is killed before its heartbeat expires',
    swap: { file: 'domain/timing.ts', find: 'trustKillMs: 30_000,', put: 'trustKillMs: 40_000,' },
    killedBy: ['worker/timing', 'worker/guard/leash'],
  },
  {
    name: 'timing:ttl-after-kill',
    keeps: 'a heartbeat lives longer than a runner without trust',
    swap: { file: 'domain/timing.ts', find: 'heartbeatTtlMs: 35_000,', put: 'heartbeatTtlMs: 12_000,' },
    killedBy: ['worker/timing'],
  },
  {
    name: 'timing:starts-after-kill',
    keeps: 'after a loss no attempt starts before cut-off workers have ended theirs',
    swap: { file: 'domain/timing.ts', find: 'recoveryStartsMs: 35_000,', put: 'recoveryStartsMs: 1_000,' },
    killedBy: ['worker/timing'],
  },
  {
    name: 'timing:repair-after-reports',
    keeps: 'after a loss nobody is declared dead before live workers had the time to report',
    swap: { file: 'domain/timing.ts', find: 'recoveryRepairMs: 60_000,', put: 'recoveryRepairMs: 1_000,' },
    killedBy: ['worker/timing'],
  },
];
