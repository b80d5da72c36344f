/**
 * A second deployment on one source (PROTOCOL 10): two that know nothing of each other take each other's labels for orphans,
 * adopt and reset each other's tickets, and would go on for ever.
 *
 * What counts: a lifecycle label that contradicts a label of ours which had been read back, as `contradicts` says (a live
 * run that shows another one than its own, an ended run that shows `enqueued` or `in-progress` again). Known by what it
 * says, never by who wrote it: both deployments may use one token. Each change counts once, because we write our label
 * again and must have read it back before the next one counts. A person who asks again or gives a verdict does not count.
 *
 * Three on one source, each within an hour of the next two: nothing is adopted or reset there any more, and people are told.
 * It ends when an hour has passed without another. Runs of our own go on, and their labels are written as ever.
 *
 * Kept in this process, because only the platform pass sees such labels: a restart or a new leader begins anew, and after a
 * loss of data there is no record left that a label could contradict.
 */
import type { Catalog } from '../domain/project.ts';
import { projectOfRun } from '../domain/routing.ts';
import type { Run } from '../domain/run.ts';
import { sourceKey } from '../domain/ticket.ts';
import { elapsedMs, type Moment, now } from '../foundation/clock.ts';
import type { Findings } from '../foundation/findings.ts';

const MOST_CONTRADICTIONS = 3;

/** What is known of one source. */
export interface Evidence {
  /** The latest changes, the oldest first. */
  readonly changes: readonly Moment[];
  readonly stopped: boolean;
}

export const NO_EVIDENCE: Evidence = { changes: [], stopped: false };

/** One more label was overwritten. Pure. */
export function afterChange(before: Evidence, at: Moment, windowMs: number): Evidence {
  const recent = before.changes.filter((change) => elapsedMs(change, at) < windowMs);
  const changes = [...recent, at].slice(-MOST_CONTRADICTIONS);
  const goesOn = before.stopped && recent.length > 0;
  return { changes, stopped: goesOn || changes.length === MOST_CONTRADICTIONS };
}

/** Whether labels without a record are left alone at this moment. Pure. */
export function isStopped({ changes, stopped }: Evidence, at: Moment, windowMs: number): boolean {
  const last = changes.at(-1);
  return stopped && last !== undefined && elapsedMs(last, at) < windowMs;
}

export interface ForeignLabels {
  /** Somebody else has overwritten the label of this run. */
  seen(run: Run): void;
  /** Whether labels without a record may be adopted or reset on a source, by its key. */
  mayAdopt(source: string): boolean;
}

export interface ForeignLabelsDeps {
  readonly catalog: () => Catalog;
  /** Changes when Redis has lost its data. */
  readonly incarnation: () => string | undefined;
  readonly findings: Findings;
  readonly clock?: () => Moment;
}

export function createForeignLabels(
  deps: ForeignLabelsDeps,
  { foreignLabelsMs }: { readonly foreignLabelsMs: number },
): ForeignLabels {
  const { clock = now, findings } = deps;
  const CODE = 'second-deployment';
  let known = new Map<string, Evidence>();
  let incarnation = deps.incarnation();

  const evidence = (): Map<string, Evidence> => {
    if (deps.incarnation() !== incarnation) {
      for (const source of known.keys()) findings.clear(CODE, source);
      known = new Map();
      incarnation = deps.incarnation();
    }
    return known;
  };

  return {
    seen(run) {
      const project = projectOfRun(deps.catalog(), run);
      if (project === undefined) return;
      const source = sourceKey(project.source);
      const after = afterChange(evidence().get(source) ?? NO_EVIDENCE, clock(), foreignLabelsMs);
      known.set(source, after);
      if (!after.stopped) return;
      const text = `Somebody else writes agent-smith:* labels on the tickets of project ${project.name}: a second deployment? Labels without a run are left alone there until an hour has passed without. Give each deployment a source of its own, or let both use one Redis.`;
      findings.raise({ code: CODE, severity: 'error', text }, source, foreignLabelsMs);
    },
    mayAdopt: (source) => !isStopped(evidence().get(source) ?? NO_EVIDENCE, clock(), foreignLabelsMs),
  };
}
