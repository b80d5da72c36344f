/**
 * The leader asks platforms for what did not arrive: when its term begins, since nobody may have listened before, and now
 * and then afterwards. Projects that share source and credential are asked for once.
 */
import { bulkhead } from 'cockatiel';
import { type Term, TermLost } from '../coordination/leader.ts';
import type { Listening } from '../coordination/listening.ts';
import type { MissedBoard, MissedGap, MissedNote } from '../coordination/missed-board.ts';
import type { Catalog, Project } from '../domain/project.ts';
import { groupBySource, namesIn, type SourceGroup } from '../domain/source-groups.ts';
import { messageOf } from '../foundation/errors.ts';
import type { Findings } from '../foundation/findings.ts';
import type { Log } from '../foundation/log.ts';
import { every } from '../foundation/loop.ts';
import { PlatformError } from '../platforms/contract.ts';
import type { MissedDeliveries } from '../platforms/missed-deliveries.ts';
import type { DeliveryRecords } from '../runs/delivery-records.ts';
import { createHookFindings } from './hook-findings.ts';
import { gapText, isWorthTelling, sinceMs, takesWebhooks } from './missed-plan.ts';
import { createMissedRefusals } from './missed-refusals.ts';
import {
  createSourceRecovery,
  type MissedSourceDeps,
  type MissedSourceOptions,
  type SourceReport,
} from './missed-source.ts';

export interface MissedRecovery {
  /** Asks for every source once. Throws when Redis is away. */
  pass(term: Term): Promise<void>;
  /** Asks now and again, until the term ends. */
  lead(term: Term): Promise<void>;
}

export interface MissedRecoveryDeps extends MissedSourceDeps {
  readonly catalog: () => Catalog;
  /** Undefined when the project's platform cannot be asked. */
  readonly missedOf: (project: Project) => MissedDeliveries | undefined;
  readonly credentialOf: (project: Project) => string;
  readonly records: Pick<DeliveryRecords, 'get' | 'arrivals'>;
  readonly listening: Pick<Listening, 'downMs'>;
  readonly board: MissedBoard;
  readonly findings: Findings;
  readonly log: Log;
  readonly onRecovered?: (facts: RecoveredFacts) => void;
}

export interface RecoveredFacts {
  readonly platform: string;
  readonly recovered: number;
  /** Those of them whose tickets were worth a look. */
  readonly relevant: number;
}

export interface MissedRecoveryOptions extends MissedSourceOptions {
  readonly missedScanMs: number;
}

/** Platforms ask to keep requests of one credential few at a time. */
const SOURCES_PER_CREDENTIAL = 2;
const SOURCES_AT_ONCE = 16;
/** Sources in a row with one credential for which nobody answered before the rest is left to the next pass. */
const ENOUGH_SILENCE = 4;
/** Of the interval, either way: leaders of several deployments must not ask one platform in step. */
const JITTER = 0.1;

/** What all sources of a pass have to know. */
interface PassFacts {
  readonly term: Term;
  readonly notes: ReadonlyMap<string, MissedNote>;
  readonly downMs: number;
  readonly arrivals: ReadonlyMap<string, number>;
}

/** What a source's answer says about the next one with the same credential; `over`: not to be asked in this pass. */
type Heard = 'answer' | 'silence' | 'over';

export function createMissedRecovery(deps: MissedRecoveryDeps, options: MissedRecoveryOptions): MissedRecovery {
  const { board, log } = deps;
  const recover = createSourceRecovery(deps, options);
  const hookFindings = createHookFindings(deps.findings);
  const refusals = createMissedRefusals(log);
  const slots = bulkhead(SOURCES_AT_ONCE, Number.POSITIVE_INFINITY);

  /** Notes how far a pass came, for the next one and for everybody, and says what it found. */
  const settle = async (group: SourceGroup, report: SourceReport, facts: PassFacts): Promise<void> => {
    const { found, recovered, relevant, notArrived } = report;
    const before = noteOf(group, facts.notes);
    const downMs = before === undefined ? 0 : Math.max(0, facts.downMs - before.downMs);
    const gap: MissedGap = { atMs: Date.now(), downMs, found, recovered, relevant, notArrived };
    const isNews = isWorthTelling(gap);
    const last = isNews ? gap : before?.last;
    const note: MissedNote = { sinceMs: report.reachedMs, downMs: facts.downMs, ...(last && { last }) };
    facts.term.assertTrusted();
    await Promise.all(group.projects.map(({ name }) => board.publish(name, note)));
    const { atMs: _, ...told } = gap;
    log[isNews ? 'info' : 'debug'](
      { event: 'missed_deliveries_recovered', project: namesIn(group), ...told },
      gapText(gap),
    );
    if (recovered > 0) deps.onRecovered?.({ platform: group.projects[0].source.platform, recovered, relevant });
  };

  const askSource = async (group: SourceGroup, missed: MissedDeliveries, facts: PassFacts): Promise<void> => {
    const from = sinceMs(noteOf(group, facts.notes)?.sinceMs, Date.now());
    const report = await recover(group, missed, from, facts.term);
    for (const project of group.projects) {
      hookFindings.show(project, report.hooks, facts.arrivals.has(project.name));
    }
    await settle(group, report, facts);
    if (report.problem !== undefined) throw report.problem;
  };

  /** Never throws. */
  const askCarefully = async (group: SourceGroup, facts: PassFacts): Promise<Heard> => {
    const missed = deps.missedOf(group.projects[0]);
    if (missed === undefined || refusals.has(group)) return 'answer';
    try {
      await askSource(group, missed, facts);
      return 'answer';
    } catch (error) {
      if (facts.term.signal.aborted || error instanceof TermLost) return 'over';
      if (refusals.note(group, error)) return 'answer';
      const kind = error instanceof PlatformError ? error.kind : 'internal-error';
      // An outage or a limit is told of by the polls already, and what was not asked for is the next pass' business.
      const level = kind === 'rate-limited' || kind === 'unavailable' ? 'debug' : 'warn';
      log[level]({ project: namesIn(group), problem: messageOf(error) }, 'missed deliveries not asked for');
      if (kind === 'rate-limited') return 'over';
      return kind === 'unavailable' ? 'silence' : 'answer';
    }
  };

  /** The sources of one credential, one after the other, as long as its platform answers. */
  const askAll = async (groups: readonly SourceGroup[], facts: PassFacts): Promise<void> => {
    // One iterator for all workers: each source is taken once.
    const left = groups.values();
    let silent = 0;
    const work = async (): Promise<void> => {
      for (const group of left) {
        const heard = await slots.execute(() => askCarefully(group, facts));
        silent = heard === 'silence' ? silent + 1 : 0;
        if (heard === 'over' || silent >= ENOUGH_SILENCE) return;
      }
    };
    await Promise.all(Array.from({ length: SOURCES_PER_CREDENTIAL }, work));
  };

  const pass = async (term: Term): Promise<void> => {
    const projects = deps.catalog().projects.filter(takesWebhooks);
    const groups = groupBySource(projects, deps.credentialOf);
    const names = new Set(projects.map(({ name }) => name));
    hookFindings.retain(names);
    refusals.retain(groups);
    if (groups.length === 0) return;
    term.assertTrusted();
    await board.retain(names);
    const [notes, downMs, arrivals] = await Promise.all([
      board.read(),
      deps.listening.downMs(),
      deps.records.arrivals(),
    ]);
    const byCredential = Map.groupBy(groups, ({ credential }) => credential);
    await Promise.all([...byCredential.values()].map((some) => askAll(some, { term, notes, downMs, arrivals })));
  };

  return {
    pass,
    async lead(term) {
      await every(
        {
          intervalMs: () => options.missedScanMs * (1 + JITTER * (2 * Math.random() - 1)),
          signal: term.signal,
          onError: (error) => log.warn({ error: messageOf(error) }, 'missed deliveries not asked for'),
        },
        () => pass(term),
      );
      // What this replica found is the next leader's to find again.
      hookFindings.retain(new Set());
    },
  };
}

/** It is kept for each project; a source with a project that is new to it has its whole list looked at. */
function noteOf({ projects }: SourceGroup, notes: ReadonlyMap<string, MissedNote>): MissedNote | undefined {
  const known = projects.flatMap(({ name }) => notes.get(name) ?? []);
  if (known.length < projects.length) return undefined;
  return known.reduce((earliest, note) => (note.sinceMs < earliest.sinceMs ? note : earliest));
}
