/** An explanation on a terminal: the answer first, then the gates that led to it, and what is on record. */
import type { Explanation } from '../app/inquiry/explain.ts';
import { describeOutcome } from '../claims/claim-outcome.ts';
import type { PollSummary } from '../coordination/poll-board.ts';
import type { Run } from '../domain/run.ts';
import { wrapLine } from './wrap.ts';

export interface ExplanationView {
  readonly nowMs: number;
  /** Of the terminal. */
  readonly width: number;
  /** Labels that start a run on the ticket's source. */
  readonly startLabels: readonly string[];
}

/** Lines without regard to control characters in them: texts of platforms and files are shown as they came. */
export function explanationLines(explanation: Explanation, view: ExplanationView): string[] {
  const { ticket } = explanation;
  const wrapped = (lines: readonly string[]): string[] => lines.flatMap((line) => wrapLine(line, 2, view.width));
  return [
    ...wrapped([
      ticket === undefined
        ? `ticket ${explanation.ticketId} of project ${explanation.project}`
        : `${ticket.display}  ${ticket.url}`,
      ...(ticket === undefined ? [] : [`on it: ${ticket.labels.length === 0 ? 'no label' : ticket.labels.join(', ')}`]),
      '',
      `${headline(explanation)}: ${explanation.why}`,
      `next: ${explanation.next}`,
      ...missing(explanation, view.startLabels),
    ]),
    '',
    `the gates of a claim by ${explanation.trigger}, in its order:`,
    ...gateLines(explanation.gates, view.width),
    '',
    ...wrapped(recordLines(explanation, view.nowMs)),
    ...outputLines(explanation.output),
  ];
}

const MOST_OUTPUT_LINES = 20;

function outputLines(output: string | undefined): string[] {
  if (output === undefined) return [];
  const lines = output.trimEnd().split('\n');
  const all = lines.length <= MOST_OUTPUT_LINES ? '' : ` (the last ${MOST_OUTPUT_LINES} lines; --json has more)`;
  return ['', `its pipeline wrote${all}:`, ...lines.slice(-MOST_OUTPUT_LINES).map((line) => `  | ${line}`)];
}

/** A label with a typo is the mistake that people make most. */
function missing({ outcome }: Explanation, startLabels: readonly string[]): string[] {
  const asked = outcome.kind === 'not-eligible' && outcome.reason === 'no-trigger-label';
  return asked ? [`labels that start a run here: ${[...startLabels, 'agent-smith:pending'].join(', ')}`] : [];
}

function gateLines(gates: Explanation['gates'], width: number): string[] {
  const reached = gates.filter(({ state }) => state !== 'not reached');
  const rest = gates.filter(({ state }) => state === 'not reached').map(({ gate }) => gate);
  const widest = Math.max(0, ...reached.map(({ gate }) => gate.length));
  return [
    ...reached.flatMap(({ gate, state, text }) =>
      wrapLine(
        `  ${state.padEnd(STATE_WIDTH)}  ${gate.padEnd(widest)}  ${text}`.trimEnd(),
        STATE_WIDTH + widest + 6,
        width,
      ),
    ),
    ...(rest.length === 0
      ? []
      : wrapLine(`  ${'not reached'.padEnd(STATE_WIDTH)}  ${rest.join(', ')}`, STATE_WIDTH + 4, width)),
  ];
}

const STATE_WIDTH = 11;

function recordLines({ decided, run, waits, decisions, polling, unseen }: Explanation, nowMs: number): string[] {
  return [
    ...(decided === undefined ? [] : [`label: ${decidedText(decided)}`]),
    ...(run === undefined ? [] : [`run: ${runText(run, nowMs)}`]),
    ...(waits === undefined ? [] : [`it waits: ${waits.text}`]),
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
