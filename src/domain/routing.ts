/**
 * Which project takes a ticket. Routing is per source: of all projects that watch it, in YAML order, the first with a
 * matching trigger label; if none matches and `agent-smith:pending` is there, the first that names a default.
 */
import { type Route, resolvePipeline } from './pipeline-resolver.ts';
import type { Catalog, Project, Trigger } from './project.ts';
import type { Run } from './run.ts';
import { sourceKey, ticketKey } from './ticket.ts';

export interface RoutedTicket {
  readonly project: Project;
  readonly route: Route;
}

/** The enabled projects that watch the same source and take this trigger, in YAML order. */
export function projectsOnSource(catalog: Catalog, project: Project, trigger: Trigger): Project[] {
  const source = sourceKey(project.source);
  return catalog.projects.filter(
    (other) => sourceKey(other.source) === source && other.disabled === undefined && other.triggers.has(trigger),
  );
}

/**
 * The project of a run: by its name, and on the source that the ticket was claimed on. A project that has moved to
 * another source is not the run's: there the same number is somebody else's ticket.
 */
export function projectOfRun(catalog: Catalog, run: Pick<Run, 'project' | 'ticket' | 'ticketId'>): Project | undefined {
  return catalog.projects.find(
    ({ name, source }) => name === run.project && ticketKey(source, run.ticketId) === run.ticket,
  );
}

/**
 * Whether a claim for a run's ticket would reach it: a claim finds its ticket by the name of a project, and the first of
 * that name may watch another source by now.
 */
export function leadsHome(catalog: Catalog, run: Pick<Run, 'project' | 'ticket' | 'ticketId'>): boolean {
  const named = catalog.projects.find(({ name }) => name === run.project);
  return named !== undefined && projectOfRun(catalog, run) === named;
}

/** Undefined when no project wants a ticket with these labels. */
export function routeTicket(projects: readonly Project[], labels: readonly string[]): RoutedTicket | undefined {
  const routed = projects.flatMap((project) => {
    const route = resolvePipeline(project.routing, labels);
    return route === undefined ? [] : [{ project, route }];
  });
  return (
    routed.find(({ route }) => route.label !== undefined) ??
    routed.find(({ project }) => (project.routing.defaultPipeline ?? project.routing.pipeline) !== undefined) ??
    routed[0]
  );
}
