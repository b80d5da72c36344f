/**
 * One source in one pass: how far back it is asked, what is noted of it for the next leader and for `/health`, and what is
 * said. What goes wrong is told here, so that the pass only has to know whether to go on.
 */
import { type Term, TermLost } from '../../coordination/leader.ts';
import type { MissedBoard, MissedGap, MissedNote } from '../../coordination/missed-board.ts';
import type { Project } from '../../domain/project.ts';
import { namesIn, type SourceGroup } from '../../domain/source-groups.ts';
import { messageOf } from '../../foundation/errors.ts';
import type { Log } from '../../foundation/log.ts';
import { PlatformError } from '../../platforms/contract.ts';
import type { MissedDeliveries } from '../../platforms/missed-deliveries.ts';
import { hookFinding } from './hook-finding.ts';
import { gapText, isNews, isWorthTelling, sinceMs } from './missed-plan.ts';
import type { MissedRefusals } from './missed-refusals.ts';
import { createRedelivery, type RedeliveryDeps, type RedeliveryOptions, type RedeliveryReport } from './redelivery.ts';

export interface MissedSourceDeps extends RedeliveryDeps {
  /** Undefined when the project's platform cannot be asked. */
  readonly missedOf: (project: Project) => MissedDeliveries | undefined;
  readonly board: Pick<MissedBoard, 'publish'>;
  readonly refusals: Pick<MissedRefusals, 'has' | 'note'>;
  readonly log: Log;
  readonly onRecovered?: (facts: RecoveredFacts) => void;
}

export interface RecoveredFacts {
  readonly platform: string;
  readonly recovered: number;
  /** Those of them whose tickets were worth a look. */
  readonly relevant: number;
}

/** What all sources of a pass have to know. */
export interface PassFacts {
  readonly term: Term;
  /** By project; kept up with what the pass itself notes. */
  readonly notes: Map<string, MissedNote>;
  /** `Listening.downMs` */
  readonly downMs: number;
  readonly arrivals: ReadonlyMap<string, number>;
  /** Redis TIME at this moment: what is noted is compared with the times of other leaders. */
  readonly nowMs: () => number;
}

/**
 * What a source's answer says about the pass: `more`, it is worth another turn; `closed`, what it sent did not reach us;
 * `silence`, nobody answered; `over`, nothing is to be asked any more with the same credential.
 */
export type Heard = 'answer' | 'more' | 'closed' | 'silence' | 'over';

/** Never throws. */
export type AskSource = (group: SourceGroup, facts: PassFacts) => Promise<Heard>;

export function createAskSource(deps: MissedSourceDeps, options: RedeliveryOptions): AskSource {
  const { board, refusals, log } = deps;
  const redeliver = createRedelivery(deps, options);

  const publish = async (
    { projects }: SourceGroup,
    { term, notes }: PassFacts,
    noteFor: (name: string) => MissedNote,
  ): Promise<void> => {
    term.assertTrusted();
    const publishOne = async (name: string): Promise<void> => {
      const note = noteFor(name);
      await board.publish(name, note);
      notes.set(name, note);
    };
    await Promise.all(projects.map(({ name }) => publishOne(name)));
  };

  /** Notes how far a pass came, for the next one and for everybody, and says what it found. */
  const settle = async (group: SourceGroup, report: RedeliveryReport, facts: PassFacts): Promise<void> => {
    const { found, recovered, relevant, notArrived } = report;
    const before = noteOf(group, facts.notes);
    const downMs = before === undefined ? 0 : Math.max(0, facts.downMs - before.downMs);
    const gap: MissedGap = { atMs: facts.nowMs(), downMs, found, recovered, relevant, notArrived };
    const last = isWorthTelling(gap) ? gap : before?.last;
    const note: MissedNote = { sinceMs: report.reachedMs, downMs: facts.downMs, ...(last && { last }) };
    await publish(group, facts, (name) => {
      const finding = hookFinding(name, report.hooks, facts.arrivals.has(name));
      return { ...note, ...(finding && { finding }) };
    });
    const { atMs: _, ...told } = gap;
    log[isNews(gap, before?.last) ? 'info' : 'debug'](
      { event: 'missed_deliveries_recovered', project: namesIn(group), ...told },
      gapText(gap),
    );
    if (recovered > 0) deps.onRecovered?.({ platform: group.projects[0].source.platform, recovered, relevant });
  };

  /** Whoever may not look any more cannot say how the hooks are. */
  const withdrawFinding = async (group: SourceGroup, facts: PassFacts): Promise<void> => {
    const note = noteOf(group, facts.notes);
    if (note?.finding === undefined) return;
    const { finding: _, ...rest } = note;
    await publish(group, facts, () => rest);
  };

  const ask = async (group: SourceGroup, missed: MissedDeliveries, facts: PassFacts): Promise<Heard> => {
    const nowMs = facts.nowMs();
    const span = { sinceMs: sinceMs(noteOf(group, facts.notes)?.sinceMs, nowMs), nowMs };
    const report = await redeliver(group, missed, span, facts.term).catch(async (error: unknown) => {
      if (!refusals.note(group, error)) throw error;
      await withdrawFinding(group, facts);
      return undefined;
    });
    if (report === undefined) return 'answer';
    await settle(group, report, facts);
    // Who may look may still not be allowed to have anything sent.
    if (report.problem !== undefined && !refusals.note(group, report.problem)) throw report.problem;
    if (report.recovered === 0) return report.notArrived > 0 ? 'closed' : 'answer';
    return report.hasMore ? 'more' : 'answer';
  };

  return async (group, facts) => {
    const missed = deps.missedOf(group.projects[0]);
    if (missed === undefined || refusals.has(group)) return 'answer';
    try {
      return await ask(group, missed, facts);
    } catch (error) {
      if (facts.term.signal.aborted || error instanceof TermLost) return 'over';
      const kind = error instanceof PlatformError ? error.kind : undefined;
      // An outage or a limit is told of by the polls already, where there are any; what was not asked for is asked for soon.
      const isKnown = (kind === 'rate-limited' || kind === 'unavailable') && isPolled(group);
      const level = isKnown ? 'debug' : 'warn';
      log[level]({ project: namesIn(group), problem: messageOf(error) }, 'missed deliveries not asked for');
      // No platform's fault: Redis is away, and nothing could be noted of the next source either.
      if (kind === undefined || kind === 'rate-limited') return 'over';
      return kind === 'unavailable' ? 'silence' : 'answer';
    }
  };
}

function isPolled({ projects }: SourceGroup): boolean {
  return projects.some(({ triggers }) => triggers.has('poll'));
}

/** It is kept for each project; a source with a project that is new to it has its whole list looked at. */
function noteOf({ projects }: SourceGroup, notes: ReadonlyMap<string, MissedNote>): MissedNote | undefined {
  const known = projects.flatMap(({ name }) => notes.get(name) ?? []);
  if (known.length < projects.length) return undefined;
  return known.reduce((earliest, note) => (note.sinceMs < earliest.sinceMs ? note : earliest));
}
