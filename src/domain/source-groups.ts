/**
 * Projects that watch one source with one credential. A question about the source has one answer for all of them, so it is
 * asked once.
 */
import type { Project } from './project.ts';
import { sourceKey } from './ticket.ts';

export interface SourceGroup {
  /** Credential and source. */
  readonly key: string;
  readonly credential: string;
  /** In YAML order; never empty. */
  readonly projects: readonly [Project, ...Project[]];
}

export function groupBySource(
  projects: readonly Project[],
  credentialOf: (project: Project) => string,
): readonly SourceGroup[] {
  const keyOf = (project: Project): string => `${credentialOf(project)} ${sourceKey(project.source)}`;
  return [...Map.groupBy(projects, keyOf)].flatMap(([key, [first, ...others]]) =>
    first === undefined ? [] : [{ key, credential: credentialOf(first), projects: [first, ...others] }],
  );
}

/** Their names, as people read them. */
export function namesIn({ projects }: Pick<SourceGroup, 'projects'>): string {
  return projects.map(({ name }) => name).join(', ');
}
