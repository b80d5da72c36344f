/**
 * What `prove` takes out of the replicas. Most promises are kept by more than one guard, so that the loss of a single one is
 * not seen from outside: these are all the guards that keep one promise, and what is seen when they are gone.
 */
import type { ChaosSettings } from './settings.ts';
import type { Problem } from './verdict.ts';

export interface Sabotage {
  /** The promise, in words. */
  readonly keeps: string;
  /** Names of guards, taken out together. */
  readonly without: readonly string[];
  /** What the verdict has to say; another problem proves nothing. */
  readonly seen: readonly Problem['kind'][];
  /** Where the short form would meet it too rarely. */
  readonly play?: Partial<Pick<ChaosSettings, 'faults' | 'calm' | 'long' | 'longest' | 'pace'>>;
}

/** Few tickets at a time, each at work for long, and no quiet: two commands of one ticket have time to meet. */
const MEETING = { pace: 2, calm: 0.3, long: 1, longest: 5 };
const TWICE = ['overlapping', 'finished-twice'] as const;
const LOST = ['lost'] as const;
const LABEL = ['label'] as const;

export const SABOTAGES: readonly Sabotage[] = [
  {
    keeps: 'a ticket has one live run',
    without: ['begin-claim:live-run', 'heartbeat:newer-fence', 'start-attempt:ticket-run'],
    seen: TWICE,
  },
  {
    keeps: 'a ticket that is at work, or has ended, is not one that wants a run',
    without: ['judge:eligibility'],
    seen: TWICE,
  },
  {
    keeps: 'a turn is started once, however many jobs point to it',
    without: ['queue:one-job-a-turn', 'enqueued:has-a-job', 'take-turn:take', 'start-attempt:turn'],
    seen: TWICE,
    play: { faults: ['redis', 'kill'] },
  },
  {
    keeps: 'an attempt that was replaced neither ends nor gives back the run of its successor',
    without: ['attempt:superseded', 'finish:attempt-fence', 'hand-back:attempt-fence'],
    seen: TWICE,
    play: { faults: ['pause'], ...MEETING },
  },
  {
    keeps: 'a command does not outlive its worker',
    without: ['leash:worker-died', 'leash:kills-with-worker', 'leash:trust-kill', 'leash:trust-term'],
    seen: TWICE,
    play: { faults: ['kill', 'pause'], ...MEETING },
  },
  {
    keeps: 'the whole process group of a command is reached',
    without: ['leash:own-group'],
    seen: TWICE,
    play: { faults: ['kill', 'pause'], ...MEETING },
  },
  {
    keeps: 'a run whose worker is alive is not given away',
    without: ['stale-jobs:two-passes', 'stale-jobs:only-if-dead', 'hand-back:alive', 'attempt:runner-gone-first'],
    seen: TWICE,
    play: { faults: ['pause', 'redis'], ...MEETING },
  },
  {
    keeps: 'after a loss of data nothing starts before live workers have reported',
    without: [
      'begin-claim:recovering',
      'start-attempt:recovering',
      'housekeeping:recovery-window',
      'orphans:second-read',
      'orphans:lost-between',
    ],
    seen: TWICE,
    play: { faults: ['redis', 'pause'], ...MEETING },
  },
  {
    keeps: 'a run whose worker died gets another turn',
    without: ['stale-jobs:hands-back'],
    seen: LOST,
  },
  {
    keeps: 'a run without a job gets its job again',
    without: ['enqueued:adds-the-job'],
    seen: LOST,
  },
  {
    keeps: 'a label without a record is adopted, or taken back',
    without: ['table:orphan-enqueued', 'table:orphan-in-progress'],
    seen: LOST,
    play: { faults: ['redis', 'pause'], ...MEETING },
  },
  {
    keeps: 'an accepted delivery is worked off, whoever dies meanwhile',
    without: ['accept-delivery:due', 'take-inbox:lease', 'inbox:retries'],
    seen: LOST,
    play: { faults: ['kill', 'api', 'redis'] },
  },
  {
    keeps: 'what Redis did not take is not accepted',
    without: ['receiver:persisted-first'],
    seen: LOST,
    play: { faults: ['redis'] },
  },
  {
    keeps: 'a ticket that cannot be read now is tried again later',
    without: ['turn:unreadable'],
    seen: LOST,
    play: { faults: ['api'] },
  },
  {
    keeps: "GitHub: people's labels stay",
    without: ['github:people'],
    seen: LABEL,
  },
  {
    keeps: "GitLab: people's labels stay",
    without: ['gitlab:people'],
    seen: LABEL,
  },
  {
    keeps: "Azure DevOps: people's tags stay",
    without: ['azuredevops:people'],
    seen: LABEL,
  },
  {
    keeps: 'Azure DevOps: a tag that a person sets between our read and our write stays',
    without: ['azuredevops:same-revision'],
    seen: LABEL,
    play: { faults: ['api'], calm: 3 },
  },
  {
    keeps: "Jira: people's labels stay",
    without: ['jira:people'],
    seen: LABEL,
  },
];
