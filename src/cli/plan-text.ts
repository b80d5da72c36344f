/** A plan as a table and as JSON. */
import type { CredentialCost, PlannedProject, PlanReport } from '../app/inquiry/plan.ts';
import { describeOutcome } from '../claims/claim-outcome.ts';
import { explainOutcome } from '../claims/explain-gates.ts';
import { tableLines } from './table.ts';

// Few and short: they fit on a terminal of 80 columns.
const HEADINGS = ['project', 'found', 'pending', 'claims', 'requests', 'per hour', 'every', 'labels'];
const COST_HEADINGS = ['credential', 'projects', 'per hour', 'allowed', 'left now'];

/** Lines without regard to control characters in them. */
export function planLines({ projects, left, credentials, unlooked }: PlanReport): string[] {
  const claims = projects.flatMap(claimLines);
  const others = projects.flatMap(otherLines);
  const notes = projects.flatMap(notesOf);
  return [
    ...(projects.length === 0 ? ['no project is polled'] : tableLines([HEADINGS, ...projects.map(rowOf)])),
    ...(claims.length === 0 ? [] : ['', 'would be claimed:', ...claims]),
    ...(others.length === 0 ? [] : ['', 'would not be claimed (agent-smith explain says more):', ...others]),
    ...(credentials.length === 0 ? [] : ['', ...tableLines([COST_HEADINGS, ...credentials.map(costRow)])]),
    ...section(credentials.filter(({ tooMuch }) => tooMuch).map(warningOf)),
    ...section(notes),
    ...(projects.some(({ plan }) => plan.problem !== undefined) ? ['  -> agent-smith doctor says what to do'] : []),
    ...section(left.map(({ project, why }) => `- ${project}: ${why}`)),
    ...section(unlooked === undefined ? [] : [`- runs and locks were not looked at: ${unlooked}`]),
  ];
}

const section = (lines: readonly string[]): string[] => (lines.length === 0 ? [] : ['', ...lines]);

function rowOf({ plan, ...project }: PlannedProject): string[] {
  return [
    project.project,
    plan.result === 'ok' ? String(plan.discovered) : '-',
    plan.result === 'ok' ? String(plan.pending) : '-',
    String(plan.tickets.filter(({ foreseen }) => foreseen.outcome.kind === 'would-claim').length),
    String(plan.listingRequests),
    String(project.requestsPerHour),
    `${project.intervalMs / 1000} s`,
    project.triggerLabels.join(', '),
  ];
}

function claimLines({ plan }: PlannedProject): string[] {
  return plan.tickets.flatMap(({ display, url, foreseen: { outcome } }) =>
    outcome.kind === 'would-claim' ? [`  ${display} -> ${outcome.pipeline} (${outcome.project})  ${url}`] : [],
  );
}

function otherLines({ project, plan }: PlannedProject): string[] {
  return plan.tickets.flatMap(({ display, foreseen: { outcome } }) =>
    outcome.kind === 'would-claim' ? [] : [`  ${display} (${project})  ${describeOutcome(outcome)}`],
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

function costRow({ credential, projects, requestsPerHour, allowedPerHour, window }: CredentialCost): string[] {
  return [
    credential,
    String(projects),
    String(requestsPerHour),
    allowedPerHour === undefined ? 'not told' : String(allowedPerHour),
    window === undefined ? 'not told' : String(window.remaining),
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
