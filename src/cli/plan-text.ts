/** A plan as a table and as JSON. */
import type { CredentialCost, PlannedProject, PlanReport } from '../app/plan.ts';
import { describeOutcome } from '../claims/claim-outcome.ts';
import { explainOutcome } from '../claims/explain-gates.ts';
import { tableLines } from './table.ts';

const HEADINGS = [
  'project',
  'platform',
  'labels',
  'found',
  'pending',
  'claims',
  'pipelines',
  'not, because',
  'requests',
  'per hour',
  'every',
];
const COST_HEADINGS = ['credential', 'platform', 'projects', 'per hour', 'allowed', 'left now'];

/** Lines without regard to control characters in them. */
export function planLines({ projects, left, credentials, unlooked }: PlanReport): string[] {
  const claims = projects.flatMap(claimLines);
  return [
    ...(projects.length === 0 ? ['no project is polled'] : tableLines([HEADINGS, ...projects.map(rowOf)])),
    ...(claims.length === 0 ? [] : ['', 'would be claimed:', ...claims]),
    ...(credentials.length === 0 ? [] : ['', ...tableLines([COST_HEADINGS, ...credentials.map(costRow)])]),
    ...section(credentials.filter(({ tooMuch }) => tooMuch).map(warningOf)),
    ...section(projects.flatMap(notesOf)),
    ...section(left.map(({ project, why }) => `- ${project}: ${why}`)),
    ...section(unlooked === undefined ? [] : [`- runs and locks were not looked at: ${unlooked}`]),
  ];
}

const section = (lines: readonly string[]): string[] => (lines.length === 0 ? [] : ['', ...lines]);

function rowOf({ plan, ...project }: PlannedProject): string[] {
  const claimed = plan.tickets.flatMap(({ foreseen: { outcome } }) =>
    outcome.kind === 'would-claim' ? [outcome] : [],
  );
  return [
    project.project,
    project.platform,
    project.triggerLabels.join(', '),
    plan.result === 'ok' ? String(plan.discovered) : '-',
    plan.result === 'ok' ? String(plan.pending) : '-',
    String(claimed.length),
    [...new Set(claimed.map(({ pipeline }) => pipeline))].join(', '),
    whyNot(plan.tickets.map(({ foreseen }) => foreseen.outcome)),
    String(plan.listingRequests),
    String(project.requestsPerHour),
    `${project.intervalMs / 1000} s`,
  ];
}

/** `2 closed, 1 done`. */
function whyNot(outcomes: readonly PlannedOutcome[]): string {
  const counts = new Map<string, number>();
  for (const outcome of outcomes) {
    if (outcome.kind === 'would-claim') continue;
    const reason = describeOutcome(outcome).replace(/^.*: /, '');
    counts.set(reason, (counts.get(reason) ?? 0) + 1);
  }
  return [...counts].map(([reason, count]) => `${count} ${reason}`).join(', ');
}

type PlannedOutcome = PlannedProject['plan']['tickets'][number]['foreseen']['outcome'];

function claimLines({ plan }: PlannedProject): string[] {
  return plan.tickets.flatMap(({ display, url, foreseen: { outcome } }) =>
    outcome.kind === 'would-claim' ? [`  ${display} -> ${outcome.pipeline} (${outcome.project})  ${url}`] : [],
  );
}

function notesOf({ project, plan }: PlannedProject): string[] {
  const rest = plan.candidates - plan.tickets.length;
  return [
    ...(plan.problem === undefined ? [] : [`! ${project}: ${plan.problem}`]),
    ...(rest === 0
      ? []
      : [`- ${project}: ${plan.tickets.length} of ${plan.candidates} candidates were read, then it stopped`]),
    ...(plan.truncated ? [`- ${project}: there is more than one cycle lists; the next one goes on from there`] : []),
  ];
}

function costRow({
  credential,
  platform,
  projects,
  requestsPerHour,
  allowedPerHour,
  window,
}: CredentialCost): string[] {
  return [
    credential,
    platform,
    String(projects),
    String(requestsPerHour),
    allowedPerHour === undefined ? 'not told' : String(allowedPerHour),
    window === undefined ? 'not told' : `${window.remaining}${window.limit === undefined ? '' : ` of ${window.limit}`}`,
  ];
}

function warningOf({ credential, requestsPerHour, allowedPerHour }: CredentialCost): string {
  return `! ${credential}: the intervals ask for ${requestsPerHour} requests an hour, and ${allowedPerHour} are there for polls: they will be stretched; lengthen polling.interval_seconds`;
}

/** Plain data, without what only a process needs. */
export function planJson(report: PlanReport): object {
  return {
    ...report,
    projects: report.projects.map(({ plan, ...project }) => ({
      ...project,
      ...plan,
      tickets: plan.tickets.map(({ foreseen: { outcome }, ...ticket }) => ({
        ...ticket,
        outcome,
        why: explainOutcome(outcome),
      })),
    })),
  };
}
