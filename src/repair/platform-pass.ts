/**
 * The platform pass: every source is looked through at its turn (source-turns.ts), at the start of a term and every ten
 * minutes. This is what rebuilds the queue after Redis has lost everything.
 *
 * Each source goes at its own pace: one that hangs, or has thousands of tickets to bring back, holds up itself only. What
 * was seen in an earlier term says nothing in the next one, since Redis may have lost everything in between.
 */
import type { Term } from '../coordination/leader.ts';
import type { Catalog, Project } from '../domain/project.ts';
import { projectOfRun } from '../domain/routing.ts';
import type { Run } from '../domain/run.ts';
import { sourceKey } from '../domain/ticket.ts';
import { now } from '../foundation/clock.ts';
import type { TicketPlatform } from '../platforms/contract.ts';
import type { RoundCursor } from '../runs/rounds.ts';
import type { RunReader } from '../runs/run-reader.ts';
import { type ListingProgress, type LookThrough, newListing, type Source } from './orphaned-labels.ts';
import { MOST_RUNS, type Pass } from './repair.ts';
import { type LookAt, type Seen, type SourceTurn, turnOf } from './source-turns.ts';

export interface PlatformPassDeps {
  readonly catalog: () => Catalog;
  readonly platformOf: (project: Project) => TicketPlatform | undefined;
  readonly runs: Pick<RunReader, 'inState'>;
  readonly lookThrough: LookThrough;
  /** Changes whenever Redis has lost its data or was replaced. */
  readonly incarnation: () => string | undefined;
}

/** What a term knows of a source. */
interface SourceState {
  seen: Seen;
  listing: ListingProgress;
  isAtWork: boolean;
}

const newSource = (): SourceState => ({
  seen: { fromStart: undefined, leftAt: undefined },
  listing: newListing(),
  isAtWork: false,
});

interface DueSource extends Source {
  readonly state: SourceState;
  readonly turn: Exclude<SourceTurn, 'wait'>;
}

/** A pass ends when its looks have; the next one may begin before, and leaves those sources alone. */
export function createPlatformPass(deps: PlatformPassDeps, options: { readonly platformPassMs: number }): Pass {
  /** What each term knows, by the keys of the sources. */
  const terms = new WeakMap<Term, Map<string, SourceState>>();
  const statesIn = (term: Term): Map<string, SourceState> => {
    const states = terms.get(term) ?? new Map<string, SourceState>();
    terms.set(term, states);
    return states;
  };

  /** The sources whose turn it is, each with the first of its projects. */
  const dueSources = (catalog: Catalog, states: Map<string, SourceState>, present: LookAt): DueSource[] => {
    const projects = catalog.projects.filter(({ disabled }) => disabled === undefined);
    const bySource = Map.groupBy(projects, ({ source }) => sourceKey(source));
    return [...bySource].flatMap(([key, [project]]) => {
      const platform = project === undefined ? undefined : deps.platformOf(project);
      if (project === undefined || platform === undefined) return [];
      const state = states.get(key) ?? newSource();
      states.set(key, state);
      const turn = state.isAtWork ? 'wait' : turnOf(state.seen, present, options.platformPassMs);
      return turn === 'wait' ? [] : [{ key, project, platform, state, turn }];
    });
  };

  /**
   * All live runs with a confirmed label, by their source, read a round at a time. An unconfirmed one is due for the projection
   * loop anyway.
   */
  const liveRuns = async (catalog: Catalog): Promise<Map<string | undefined, Run[]>> => {
    const live = new Map<string, Run>();
    for (const state of ['queued', 'running'] as const) {
      const cursor: RoundCursor = { next: undefined };
      do {
        for (const run of await deps.runs.inState(state, { most: MOST_RUNS, cursor })) live.set(run.id, run);
      } while (cursor.next !== undefined);
    }
    const confirmed = [...live.values()].filter(({ labelState }) => labelState === 'confirmed');
    return Map.groupBy(confirmed, (run) => {
      const project = projectOfRun(catalog, run);
      return project === undefined ? undefined : sourceKey(project.source);
    });
  };

  return async (term) => {
    const catalog = deps.catalog();
    const incarnation = deps.incarnation();
    const due = dueSources(catalog, statesIn(term), { incarnation, at: now() });
    if (due.length === 0) return;
    const live = liveRuns(catalog);
    const look = async ({ state, turn, ...source }: DueSource): Promise<void> => {
      const mine = (await live).get(source.key) ?? [];
      if (turn === 'anew') state.listing = newListing();
      const isFromStart = state.listing.cursor.next === undefined;
      const isDone = await deps.lookThrough(source, { listing: state.listing, live: mine }, term);
      const over = now();
      state.seen = {
        fromStart: isFromStart ? { incarnation, at: over } : state.seen.fromStart,
        leftAt: isDone ? undefined : over,
      };
    };
    const looks = due.map((source) => {
      source.state.isAtWork = true;
      return look(source).finally(() => {
        source.state.isAtWork = false;
      });
    });
    await Promise.all(looks);
  };
}
