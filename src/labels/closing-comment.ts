/**
 * The one comment that a run leaves on its ticket: how it ended, what the pipeline says came of it, and after a failure what
 * to do. What runners wrote, reasons as well as results, is quoted: nothing in it can mention, command or pretend anything.
 * Neither the ticket's text nor the pipeline's output is in it.
 */
import type { Run } from '../domain/run.ts';
import type { ResultLink, RunResult } from '../domain/run-result.ts';
import { unreachable } from '../foundation/errors.ts';
import { commentMarker } from '../platforms/comment-marker.ts';
import type { MarkedComment } from '../platforms/contract.ts';
import { quotedBlock, quotedLink, quotedWords } from '../platforms/quoting.ts';
import { adviceFor } from './failure-advice.ts';

/** How far the clocks of Redis and of a platform may be apart. */
const CLOCK_SKEW_MS = 600_000;

/** Characters of titles and addresses: with a summary it stays below the 32,767 that Jira takes. */
const MOST_OF_LINKS = 8_000;

/** Undefined while the run has not ended. */
export function closingComment(run: Run, result?: RunResult): MarkedComment | undefined {
  const end = endOf(run);
  if (end === undefined) return undefined;
  const facts = [`Run \`${run.id}\``, ...(run.attempt === 0 ? [] : [`attempt ${run.attempt}`]), ...duration(run)];
  const who = run.pipeline === undefined ? 'the run' : `pipeline ${quotedWords(run.pipeline)}`;
  const head = `**Agent Smith**: ${who} ${end.how}. ${facts.join(', ')}.`;
  const blocks = [head, ...end.advice, ...(result === undefined ? [] : told(result))];
  return { markdown: blocks.join('\n\n'), marker: commentMarker(run.id), sinceMs: run.createdAtMs - CLOCK_SKEW_MS };
}

interface End {
  readonly how: string;
  /** Paragraphs that say what to do now. */
  readonly advice: readonly string[];
}

function endOf({ id, state, reason = 'no reason recorded' }: Run): End | undefined {
  const again = 'To run it again, remove the label `agent-smith:failed`.';
  const look = `\`GET /api/runs/${id}?output=1\` shows its record and the end of its output.`;
  switch (state) {
    case 'completed':
      return { how: 'is done', advice: [] };
    case 'failed':
      return { how: `failed: ${quotedWords(reason)}`, advice: [`${adviceFor(reason)} ${look} ${again}`] };
    case 'cancelled':
      return { how: `was cancelled: ${quotedWords(reason)}`, advice: [again] };
    case 'received':
    case 'queued':
    case 'running':
      return undefined;
    default:
      return unreachable(state);
  }
}

/** What the pipeline says. */
function told({ summary, links }: RunResult): string[] {
  return [...(summary === undefined ? [] : [`It says:\n\n${quotedBlock(summary)}`]), ...listed(links)];
}

function listed(links: readonly ResultLink[]): string[] {
  let left = MOST_OF_LINKS;
  const shown = links.filter(({ title, url }) => (left -= title.length + url.length) >= 0);
  const lines = shown.map(({ title, url }) => `- ${quotedWords(title)} ${quotedLink(url)}`);
  const more = links.length - shown.length;
  const rest = more === 0 ? [] : [`- and ${more} more in its record`];
  return links.length === 0 ? [] : [[...lines, ...rest].join('\n')];
}

function duration({ startedAtMs, endedAtMs }: Run): string[] {
  if (startedAtMs === undefined || endedAtMs === undefined) return [];
  return [`${Math.max(1, Math.round((endedAtMs - startedAtMs) / 1000))} s`];
}
