/** What a run in the backlog waits for, for people who ask why nothing happens. Pure. */

/** One cap and what counts towards it; `cap` undefined = there is none. */
export interface CapUse {
  readonly name: string;
  readonly admitted: number;
  readonly cap: number | undefined;
}

export interface WaitFacts {
  /** Of the run in its backlog: 1 is the oldest. */
  readonly position: number;
  readonly waiting: number;
  /** Whether this replica's configuration has its project. */
  readonly isKnown: boolean;
  readonly isRecovering: boolean;
  readonly project: CapUse;
  readonly pipeline: CapUse;
}

export type WaitsFor = 'project-cap' | 'pipeline-cap' | 'slots' | 'recovery' | 'project-unknown';

export interface WaitView {
  readonly for: WaitsFor;
  readonly position: number;
  readonly waiting: number;
  /** In one sentence. */
  readonly text: string;
}

export function decideWait(facts: WaitFacts): WaitView {
  const { position, waiting, project } = facts;
  const reason = reasonOf(facts);
  const text = `number ${position} of ${waiting} that wait in project ${project.name}: ${explain(reason, facts)}`;
  return { for: reason, position, waiting, text };
}

/** What has to change first. */
function reasonOf({ isKnown, isRecovering, project, pipeline }: WaitFacts): WaitsFor {
  if (!isKnown) return 'project-unknown';
  if (isRecovering) return 'recovery';
  if (isFull(project)) return 'project-cap';
  if (isFull(pipeline)) return 'pipeline-cap';
  return 'slots';
}

function isFull({ admitted, cap }: CapUse): boolean {
  return cap !== undefined && admitted >= cap;
}

function explain(reason: WaitsFor, { project, pipeline }: WaitFacts): string {
  switch (reason) {
    case 'project-unknown':
      return 'this configuration does not have the project, so nothing of it is admitted';
    case 'recovery':
      return 'Redis has lost data, and live workers report first';
    case 'project-cap':
      return `${project.admitted} of the project are admitted, its max_parallel_jobs is ${project.cap}`;
    case 'pipeline-cap':
      return `${pipeline.admitted} of pipeline ${pipeline.name} are admitted, its max_parallel_jobs is ${pipeline.cap}`;
    case 'slots':
      return 'no slot is free, or older runs and other projects come first';
    default:
      return reason satisfies never;
  }
}
