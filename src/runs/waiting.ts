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
  /** Until then the run is put off; 0 = it is not. */
  readonly putOffMs: number;
  /** Turns of the project in a row that could not start, once they are so many that one is tried now and then; 0 = fewer. */
  readonly vainTurns: number;
  readonly project: CapUse;
  readonly pipeline: CapUse;
}

export type WaitsFor =
  | 'project-cap'
  | 'pipeline-cap'
  | 'slots'
  | 'recovery'
  | 'project-unknown'
  | 'put-off'
  | 'project-cannot-start';

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
function reasonOf({ isKnown, isRecovering, putOffMs, vainTurns, project, pipeline }: WaitFacts): WaitsFor {
  if (!isKnown) return 'project-unknown';
  if (isRecovering) return 'recovery';
  if (putOffMs > 0) return 'put-off';
  if (vainTurns > 0) return 'project-cannot-start';
  if (isFull(project)) return 'project-cap';
  if (isFull(pipeline)) return 'pipeline-cap';
  return 'slots';
}

function isFull({ admitted, cap }: CapUse): boolean {
  return cap !== undefined && admitted >= cap;
}

function explain(reason: WaitsFor, { putOffMs, vainTurns, project, pipeline }: WaitFacts): string {
  switch (reason) {
    case 'project-unknown':
      return 'this configuration does not have the project, so nothing of it is admitted';
    case 'recovery':
      return 'Redis has lost data, and live workers report first';
    case 'put-off':
      return `it could not start the last time, its decisions say why; not tried again for ${Math.ceil(putOffMs / 1000)} s`;
    case 'project-cannot-start':
      return `the last ${vainTurns} turns of the project could not start, so one run is tried now and then`;
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
