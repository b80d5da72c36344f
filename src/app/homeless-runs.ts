/**
 * Tells of runs whose claim died and whose project is gone, or watches another source by now: nobody can finish them
 * until it comes back, and somebody should know.
 */
import type { Run } from '../domain/run.ts';
import type { Findings } from '../foundation/findings.ts';
import type { Decision } from '../runs/decision-log.ts';

const CODE = 'run-without-project';

export interface HomelessRuns {
  /** All of them; a project without any is no finding any more. */
  tell(runs: readonly Run[]): Promise<void>;
  forget(): void;
}

/** `remember` never throws, and writes what was decided before only once. */
export function createHomelessRuns(findings: Findings, remember: (decision: Decision) => Promise<void>): HomelessRuns {
  let told = new Set<string>();
  const raiseFor = (projects: Set<string>): void => {
    for (const project of told) if (!projects.has(project)) findings.clear(CODE, project);
    for (const project of projects) {
      const text = `Project ${project}: a claim died, and the project is gone or watches another source; bring it back as it was, or its tickets stay where they are.`;
      findings.raise({ code: CODE, severity: 'warning', text }, project);
    }
    told = projects;
  };
  return {
    async tell(runs) {
      raiseFor(new Set(runs.map(({ project }) => project)));
      for (const { id, ticket, project } of runs) {
        const detail = `project ${project} is gone or watches another source`;
        await remember({ ticket, project, by: 'repair', run: id, outcome: 'claim not taken over', detail });
      }
    },
    forget: () => raiseFor(new Set()),
  };
}
