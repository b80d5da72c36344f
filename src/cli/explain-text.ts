/** An explanation on a terminal: what was asked, the gates, the answer, and what is on record. */
import type { Explanation } from '../app/explain.ts';
import { describeOutcome } from '../claims/claim-outcome.ts';
import type { PollSummary } from '../coordination/poll-board.ts';
import type { Run } from '../domain/run.ts';

/** Lines without regard to control characters in them: texts of platforms and files are shown as they came. */
export function explanationLines(explanation: Explanation, nowMs: number): string[] {
  const { ticket, gates, decided, run, decisions, polling, unseen } = explanation;
  const widest = Math.max(...gates.map(({ gate }) => gate.length));
  return [
    ticket === undefined
      ? `ticket ${explanation.ticketId} of project ${explanation.project}`
      : `${ticket.display}  ${ticket.url}`,
    `asked as for a claim by ${explanation.trigger}, in the order of the claim:`,
    '',
    ...gates.map(({ gate, state, text }) => `  ${state.padEnd(11)}  ${gate.padEnd(widest)}  ${text}`.trimEnd()),
    '',
    `${headline(explanation)}: ${explanation.why}`,
    `next: ${explanation.next}`,
    ...(decided === undefined ? [] : [`label: ${decidedText(decided)}`]),
    ...(run === undefined ? [] : [`run: ${runText(run, nowMs)}`]),
    ...(polling.last === undefined ? [] : [`last poll: ${pollText(polling.last, nowMs)}`]),
    ...(polling.trouble === undefined ? [] : [`polling: ${polling.trouble}`]),
    ...(decisions.length === 0 ? [] : ['decisions, newest first:']),
    ...decisions.map(
      ({ atMs, by, outcome, detail }) =>
        `  ${ago(nowMs - atMs).padEnd(11)}  ${by.padEnd(7)}  ${outcome}${detail === undefined ? '' : `: ${detail}`}`,
    ),
    ...unseen.map((what) => `not seen: ${what}`),
  ];
}

function headline({ outcome }: Explanation): string {
  return outcome.kind === 'would-claim' ? 'would be claimed' : `not claimed (${describeOutcome(outcome)})`;
}

function decidedText({ label, by, project, pipeline, runner }: NonNullable<Explanation['decided']>): string {
  const setter = by === undefined ? '' : `, set by ${by},`;
  return `${label}${setter} -> pipeline ${pipeline} of project ${project}${runner === undefined ? '' : ` (${runner})`}`;
}

function runText(run: Run, nowMs: number): string {
  const facts = [
    `${run.id} ${run.state} (${ago(nowMs - run.sinceMs)})`,
    `asked for by ${run.trigger} ${ago(nowMs - run.createdAtMs)}`,
    run.pipeline === undefined ? undefined : `pipeline ${run.pipeline}`,
    run.attempt === 0 ? 'no attempt yet' : `attempt ${run.attempt}`,
    run.interrupted === 0 ? undefined : `${run.interrupted} interrupted`,
    run.worker === undefined ? undefined : `on ${run.worker}`,
    run.reason,
    `label ${run.labelState}${run.labelReason === undefined ? '' : ` (${run.labelReason})`}`,
  ];
  return facts.filter((fact) => fact !== undefined).join(', ');
}

function pollText(poll: PollSummary, nowMs: number): string {
  const skipped = Object.entries(poll.skipped).map(([why, count]) => `${count} ${why}`);
  const facts = [
    `${ago(nowMs - poll.atMs)} by ${poll.by}: ${poll.result}`,
    `${poll.discovered} by label, ${poll.pending} pending, ${poll.claimed} claimed`,
    ...skipped,
    `every ${Math.round(poll.effectiveIntervalMs / 1000)} s`,
  ];
  return facts.join(', ');
}

const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1_000],
] as const;

/** `10 min ago`; `just now` below a second, and for clocks that disagree. */
export function ago(ms: number): string {
  const unit = UNITS.find(([, size]) => ms >= size);
  return unit === undefined ? 'just now' : `${Math.floor(ms / unit[1])} ${unit[0]} ago`;
}
