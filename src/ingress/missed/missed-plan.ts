/** How far back a platform is asked for missed deliveries, and what is said of those that were found. Pure. */
import type { MissedGap } from '../../coordination/missed-board.ts';
import type { Project } from '../../domain/project.ts';
import type { SourceGroup } from '../../domain/source-groups.ts';
import { durationText } from '../../foundation/duration.ts';
import type { MissedAnswer, MissedDelivery } from '../../platforms/missed-deliveries.ts';

/** As far as a platform keeps its list; the shortest of them does for three days. */
const LONGEST_BACK_MS = 3 * 86_400_000;
/** Platforms have clocks of their own, and a failure gets into a list only when the platform has given up waiting for us. */
const OVERLAP_MS = 5 * 60_000;

export function takesWebhooks({ triggers, disabled }: Project): boolean {
  return triggers.has('webhook') && disabled === undefined;
}

/** Where the next pass begins; all of the list when nobody knows how far the last one came. */
export function sinceMs(marked: number | undefined, nowMs: number): number {
  return Math.max(marked ?? 0, nowMs - LONGEST_BACK_MS);
}

/**
 * How far a pass came: nothing before it has to be looked at again.
 * @param startedMs of the pass
 * @param open deliveries that are to be tried again
 */
export function reachedMs(
  startedMs: number,
  { missed, truncated }: Pick<MissedAnswer, 'missed' | 'truncated'>,
  open: readonly MissedDelivery[],
): number {
  const seenMs = truncated ? (missed.at(-1)?.atMs ?? startedMs) : startedMs;
  return Math.min(startedMs - OVERLAP_MS, seenMs, ...open.map(({ atMs }) => atMs));
}

/** The projects of a source as the one that asks: what would start a run in any of them. */
export function askingProject({ projects }: Pick<SourceGroup, 'projects'>): Project {
  const [first] = projects;
  const pipelineFromLabel = new Map(projects.flatMap(({ routing }) => [...routing.pipelineFromLabel]));
  return { ...first, routing: { ...first.routing, pipelineFromLabel } };
}

/** What was missed and concerned nobody, while we were up, is not worth showing. */
export function isWorthTelling({ found, relevant, notArrived, downMs }: MissedGap): boolean {
  return relevant > 0 || notArrived > 0 || (found > 0 && downMs > 0);
}

const TELL_AGAIN_MS = 3_600_000;

/** A road that stays broken is told of once, not in each pass. @param last the gap before */
export function isNews(gap: MissedGap, last: MissedGap | undefined): boolean {
  if (!isWorthTelling(gap)) return false;
  const goesOn = last !== undefined && last.notArrived > 0 && gap.atMs - last.atMs < TELL_AGAIN_MS;
  return gap.recovered > 0 || !goesOn;
}

/** `down 4 min 12 s, 7 deliveries recovered, 2 relevant`. */
export function gapText({ downMs, recovered, relevant, notArrived }: MissedGap): string {
  return [
    ...(downMs > 0 ? [`down ${durationText(downMs)}`] : []),
    `${recovered} ${recovered === 1 ? 'delivery' : 'deliveries'} recovered`,
    `${relevant} relevant`,
    ...(notArrived > 0 ? [`${notArrived} not arrived yet`] : []),
  ].join(', ');
}
