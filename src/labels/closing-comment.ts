/** The one comment that a run leaves on its ticket. Nothing in it comes from the ticket or the runner's output. */

import type { Run } from '../domain/run.ts';
import { unreachable } from '../foundation/errors.ts';
import { commentMarker } from '../platforms/comment-marker.ts';
import type { MarkedComment } from '../platforms/contract.ts';

/** How far the clocks of Redis and of a platform may be apart. */
const CLOCK_SKEW_MS = 600_000;

/** Undefined while the run has not ended. */
export function closingComment(run: Run): MarkedComment | undefined {
  const text = closingText(run);
  if (text === undefined) return undefined;
  return { markdown: text, marker: commentMarker(run.id), sinceMs: run.createdAtMs - CLOCK_SKEW_MS };
}

function closingText(run: Run): string | undefined {
  const again = 'To run it again, remove the label.';
  const facts = `Run \`${run.id}\`, attempt ${run.attempt}${duration(run)}.`;
  switch (run.state) {
    case 'completed':
      return `**Agent Smith**: pipeline \`${run.pipeline ?? ''}\` is done. ${facts}`;
    case 'failed':
      return `**Agent Smith**: pipeline \`${run.pipeline ?? ''}\` failed: ${run.reason ?? 'no reason recorded'}. ${facts} ${again}`;
    case 'cancelled':
      return `**Agent Smith**: ${run.pipeline === undefined ? 'the run' : `pipeline \`${run.pipeline}\``} was cancelled: ${run.reason ?? 'no reason recorded'}. ${facts} ${again}`;
    case 'received':
    case 'queued':
    case 'running':
      return undefined;
    default:
      return unreachable(run.state);
  }
}

function duration(run: Run): string {
  if (run.startedAtMs === undefined || run.endedAtMs === undefined) return '';
  return `, ${Math.max(1, Math.round((run.endedAtMs - run.startedAtMs) / 1000))} s`;
}
