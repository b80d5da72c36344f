/** Guards of fair use (PROTOCOL 3): caps that hold, nobody who goes past the backlog, and nobody who waits in vain. */
import type { Guard } from '../guard.ts';

export const FAIR_USE_GUARDS: readonly Guard[] = [
  {
    name: 'commit-claim:backlog-first',
    keeps: 'a run does not go past older ones of its project that wait',
    killedBy: ['runs/admissions'],
  },
  {
    name: 'commit-claim:recovering',
    keeps: 'no commit admits a run before live workers have reported what counts towards its caps',
    killedBy: ['runs/admissions'],
  },
  {
    name: 'commit-claim:project-cap',
    keeps: 'a commit admits nothing above the cap of its project',
    killedBy: ['runs/admissions'],
  },
  {
    name: 'commit-claim:pipeline-cap',
    keeps: 'a commit admits nothing above the cap of its pipeline',
    killedBy: ['runs/fair-use'],
  },
  {
    name: 'commit-claim:first-run',
    keeps: 'the first run of a project is on its way although no slot is free',
    swap: {
      file: 'redis/scripts/commit-claim.lua',
      find: ' or busy_in(KEYS[10], KEYS[14]) == 0',
      put: '',
    },
    killedBy: ['runs/admissions'],
  },
  {
    name: 'admit:other-clock',
    keeps: 'a clock of Redis that goes back makes nobody believe the free slots of a dead replica for longer',
    killedBy: ['runs/admissions'],
  },
  {
    name: 'admit:put-off-astray',
    keeps: 'a clock of Redis that goes back keeps nothing put off for longer than a pause',
    killedBy: ['runs/admissions'],
  },
  {
    name: 'admit:vain-turns-astray',
    keeps: 'a clock of Redis that goes back keeps no project slowed down that could start again',
    killedBy: ['runs/admissions'],
  },
  {
    name: 'admit:recovering',
    keeps: 'nothing is admitted before live workers have reported what counts towards the caps',
    killedBy: ['runs/admissions'],
  },
  {
    name: 'admit:project-cap',
    keeps: 'nothing is admitted above the cap of a project',
    killedBy: ['runs/admissions'],
  },
  {
    name: 'admit:pipeline-cap',
    keeps: 'nothing is admitted above the cap of a pipeline',
    killedBy: ['runs/admissions'],
  },
  {
    name: 'admit:first-run',
    keeps: 'a project that has nothing at work has one run on its way although no slot is free',
    swap: {
      file: 'redis/scripts/admit.lua',
      find: 'local may = room > 0 or project.busy == 0',
      put: 'local may = room > 0',
    },
    killedBy: ['runs/admissions'],
  },
  {
    name: 'admit:fewest-first',
    keeps: 'the project with the fewest at work comes first',
    swap: {
      file: 'redis/scripts/admit.lua',
      find: 'local fewer = best and project.busy < best.busy',
      put: 'local fewer = false',
    },
    killedBy: ['runs/admissions'],
  },
  {
    name: 'take-turn:admitted',
    keeps: 'a stray job of a run that waits is no vain take: ten of them would end the run as failed',
    killedBy: ['runs/admissions'],
  },
  {
    name: 'start-attempt:admitted',
    keeps: 'a run that waits does not start, whatever job it has',
    killedBy: ['runs/admissions'],
  },
  {
    name: 'postpone-turn:admitted',
    keeps: 'a stray job of a run that waits is not kept: it would stand in the way of the real one',
    killedBy: ['runs/admissions'],
  },
  {
    name: 'postpone-turn:places',
    keeps: 'a run that cannot start takes nobody the place under a cap',
    swap: {
      file: 'redis/scripts/postpone-turn.lua',
      find: 'count_out(KEYS[1])\n',
      put: '',
    },
    killedBy: ['runs/admissions'],
  },
  {
    name: 'postpone-turn:next-turn',
    keeps: 'a job that outlives the admission of its run starts nothing, nor does it stand in the way of the next one',
    swap: {
      file: 'redis/scripts/postpone-turn.lua',
      find: "redis.call('HINCRBY', KEYS[1], 'turn', 1)\n",
      put: '',
    },
    killedBy: ['runs/admissions'],
  },
  {
    name: 'turn-processor:may-be-at-work',
    keeps: 'a run whose Job or service may be at work keeps its places under the caps',
    swap: {
      file: 'worker/turn-processor.ts',
      find: 'keepsPlaces: mayBeAtWork(run)',
      put: 'keepsPlaces: false',
    },
    killedBy: ['worker/turn-processor'],
  },
  {
    name: 'admit:put-off',
    keeps: 'what is put off is not tried before its time',
    swap: {
      file: 'redis/scripts/admit.lua',
      find: "'-inf', int(now), 'LIMIT'",
      put: "'-inf', '+inf', 'LIMIT'",
    },
    killedBy: ['runs/admissions'],
  },
  {
    name: 'admit:end-of-the-line',
    keeps: 'tickets that can never be read do not come before all others of their project for ever',
    swap: {
      file: 'redis/scripts/admit.lua',
      find: 'tonumber(run[2] or 0) <= 3 and run[1] or int(now)',
      put: 'run[1]',
    },
    killedBy: ['runs/admissions'],
  },
  {
    name: 'admit:vain-turns',
    keeps: 'a project whose turns cannot start is tried now and then, not all the time',
    swap: {
      file: 'redis/scripts/admit.lua',
      find: ' and next_ms <= now then',
      put: ' then',
    },
    killedBy: ['runs/admissions'],
  },
  {
    name: 'admit:one-at-a-time',
    keeps: 'a project whose turns cannot start is tried with one run, not with all',
    swap: {
      file: 'redis/scripts/admit.lua',
      find: '    project.exhausted = true\n',
      put: '',
    },
    killedBy: ['runs/admissions'],
  },
  {
    name: 'commit-claim:vain-turns',
    keeps: 'a commit admits nothing of a project whose turns cannot start',
    killedBy: ['runs/admissions'],
  },
  {
    name: 'start-attempt:vain-turns',
    keeps: 'a project of which a run has started is slowed down no more',
    swap: {
      file: 'redis/scripts/start-attempt.lua',
      find: "redis.call('DEL', vain_of(home_of(KEYS[1]), seen[6] or ''))\n",
      put: '',
    },
    killedBy: ['runs/admissions'],
  },
  {
    name: 'tidy-admissions:put-off',
    keeps: 'what is put off stays so when the lists are put right',
    swap: {
      file: 'redis/scripts/tidy-admissions.lua',
      find: "if redis.call('ZSCORE', put_off, id) then",
      put: 'if false then',
    },
    killedBy: ['runs/admissions'],
  },
  {
    name: 'hand-back:set-aside',
    keeps: 'a run whose job comes later is no reason to give its project less',
    swap: {
      file: 'redis/scripts/hand-back.lua',
      find: "redis.call('SADD', KEYS[7], ARGV[1])",
      put: '',
    },
    killedBy: ['runs/admissions'],
  },
  {
    name: 'prelude:counted-out',
    keeps: 'a run that has ended takes nobody the place under a cap',
    swap: {
      file: 'redis/scripts/prelude.lua',
      find: '  count_out(run_key)\n',
      put: '',
    },
    killedBy: ['runs/admissions'],
  },
  {
    name: 'tidy-admissions:strays',
    keeps: 'what is counted in vain is put right by the records',
    swap: {
      file: 'redis/scripts/tidy-admissions.lua',
      find: "if ARGV[2] == '1' and not belongs[KEYS[1]] then",
      put: 'if false then',
    },
    killedBy: ['runs/admissions'],
  },
  {
    name: 'tidy-admissions:newer-run',
    keeps: 'a run that can never start, because its ticket has a newer one, takes nobody the place under a cap',
    swap: {
      file: 'redis/scripts/tidy-admissions.lua',
      find: 'if current and current ~= id then return nil end',
      put: '',
    },
    killedBy: ['runs/admissions'],
  },
  {
    name: 'enqueued:waits',
    keeps: 'a run that waits in the backlog gets no job before it is admitted',
    swap: {
      file: 'runs/run-reader.ts',
      find: '(!isWaiting(run) && (run.admittedAtMs ?? 0) <= latestMs)',
      put: '(run.admittedAtMs ?? 0) <= latestMs',
    },
    killedBy: ['repair/enqueued-reconciler'],
  },
  {
    name: 'feeder:when-a-slot-is-free',
    keeps: 'a slot that becomes free is filled at once, not when the second is over',
    swap: {
      file: 'worker/queue-feeder.ts',
      find: '        if (isFeeding) void quietly(feed());\n',
      put: '',
    },
    killedBy: ['worker/queue-feeder'],
  },
];
