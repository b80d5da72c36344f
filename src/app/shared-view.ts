/**
 * What a replica shows although another one does it: the last polls and what deliveries were missed, which are the poller
 * leader's, the budgets of the credentials, which all of them use up, and the backlogs of the projects. Read when somebody asks, and not more often than
 * once a second.
 */
import type { MissedBoard, MissedNote } from '../coordination/missed-board.ts';
import type { PollBoard, PollSummary } from '../coordination/poll-board.ts';
import { elapsedMs, type Moment, now } from '../foundation/clock.ts';
import { messageOf } from '../foundation/errors.ts';
import type { Log } from '../foundation/log.ts';
import { within } from '../foundation/loop.ts';
import type { PollResult } from '../ingress/polls/project-poller.ts';
import type { Admissions, BacklogView } from '../runs/admissions.ts';
import type { KnownProjects } from './known-projects.ts';

export interface SharedView {
  /** Looks again unless it just has. Never throws, and gives a slow Redis no more time than a probe has patience for. */
  freshen(): Promise<void>;
  /** The last poll of each project: this replica's own while it leads, otherwise as last read. */
  polls(): ReadonlyMap<string, PollSummary>;
  /** What is known of the missed deliveries of each project, as last read. */
  missed(): ReadonlyMap<string, MissedNote>;
  /** The backlogs of the projects, as last counted; undefined before that. */
  backlogs(): ReadonlyMap<string, BacklogView> | undefined;
  /** This replica's own poll, for the others. Never throws. */
  publish(result: PollResult): void;
  /** Only these are polled from now on. Never throws. */
  retain(projects: ReadonlySet<string>): void;
}

export interface SharedViewDeps {
  readonly board: PollBoard;
  readonly missedBoard: Pick<MissedBoard, 'read'>;
  readonly admissions: Pick<Admissions, 'backlogs'>;
  /** Names of the projects of the configuration. */
  readonly projects: () => readonly string[];
  readonly credentials: KnownProjects['credentials'];
  readonly ownPolls: () => ReadonlyMap<string, PollResult>;
  readonly instance: string;
  readonly log: Log;
}

const FRESH_MS = 1_000;
const PATIENCE_MS = 250;

export function createSharedView(deps: SharedViewDeps): SharedView {
  const { board, instance, log } = deps;
  let others: ReadonlyMap<string, PollSummary> = new Map();
  let missed: ReadonlyMap<string, MissedNote> = new Map();
  let backlogs: ReadonlyMap<string, BacklogView> | undefined;
  let lookedAt: Moment | undefined;
  let looking: Promise<unknown> = Promise.resolve();

  const quietly = (what: string, act: Promise<void>): Promise<void> =>
    act.catch((error: unknown) => log.debug({ error: messageOf(error) }, what));

  const readBoard = async (): Promise<void> => {
    if (deps.ownPolls().size === 0) others = await board.read();
  };

  const readMissed = async (): Promise<void> => {
    missed = await deps.missedBoard.read();
  };

  const countBacklogs = async (): Promise<void> => {
    backlogs = await deps.admissions.backlogs(deps.projects());
  };

  return {
    async freshen() {
      if (lookedAt === undefined || elapsedMs(lookedAt) >= FRESH_MS) {
        lookedAt = now();
        looking = Promise.all([
          quietly('last polls not read', readBoard()),
          quietly('missed deliveries not read', readMissed()),
          quietly('backlogs not counted', countBacklogs()),
          ...deps.credentials().map(({ limits }) => limits.look()),
        ]);
      }
      await within(PATIENCE_MS, () => looking);
    },
    polls() {
      const own = deps.ownPolls();
      return own.size === 0 ? others : new Map([...own].map(([project, poll]) => [project, summaryOf(poll, instance)]));
    },
    missed: () => missed,
    backlogs: () => backlogs,
    publish: (result) => void quietly('poll not published', board.publish(summaryOf(result, instance))),
    retain: (projects) => void quietly('last polls not tidied', board.retain(projects)),
  };
}

/** Without the words of the problem: a platform may have put anything into them. */
function summaryOf(poll: PollResult, by: string): PollSummary {
  const { platform: _platform, problem: _problem, ...shown } = poll;
  return { ...shown, by };
}
