/**
 * The projects of the configuration and their open platforms, and beside them those that a reload has taken away: a
 * project that was removed, or was moved to another source, may still have runs that want to end where they began.
 *
 * A removed project keeps its adapter, with the credential of its last day, until this process ends. It is not polled
 * and takes no new ticket; only a claim that had begun may still be finished.
 */
import type { Config } from '../config/config.ts';
import type { Catalog, Project } from '../domain/project.ts';
import { sourceKey } from '../domain/ticket.ts';
import {
  type Connections,
  type ConnectionsOptions,
  createConnections,
  type UsedCredential,
} from '../platforms/connections.ts';
import type { TicketPlatform } from '../platforms/contract.ts';
import type { MissedDeliveries } from '../platforms/missed-deliveries.ts';
import type { Budget } from '../platforms/rate-limits.ts';

export interface KnownProjects {
  /** A new configuration. Answers the projects whose platform cannot be opened. */
  update(config: Config): readonly { readonly project: string; readonly problem: string }[];
  /** What the configuration says now. */
  readonly current: () => Catalog;
  /** The same, and the removed projects after it. */
  readonly withRemoved: () => Catalog;
  /** Undefined when the project has no open adapter. */
  readonly platformOf: (project: Project) => TicketPlatform | undefined;
  /** Undefined when the platform cannot be asked for missed deliveries, and for a removed project. */
  readonly missedOf: (project: Project) => MissedDeliveries | undefined;
  /** What listings are bounded by. */
  readonly credentialOf: (project: Project) => string;
  /** The budget of that credential, as last seen. */
  readonly budgetOf: (project: Project) => Budget | undefined;
  /** The credentials that the configuration uses. */
  readonly credentials: () => readonly UsedCredential[];
}

export function createKnownProjects(options: ConnectionsOptions): KnownProjects {
  const connections = createConnections(options);
  let current: Catalog = { hash: '', projects: [], pipelines: new Map() };
  let withRemoved = current;
  let removed = new Map<Project, TicketPlatform>();

  return {
    update(config) {
      const next = config.catalog;
      const going = current.projects.flatMap((project) => {
        const platform = connections.platformOf(project.name);
        return platform === undefined ? [] : [[farewell(project), platform] as const];
      });
      removed = new Map(
        [...removed, ...going].filter(([project]) => !next.projects.some((other) => isSame(project, other))),
      );
      current = next;
      withRemoved = { ...next, projects: [...next.projects, ...removed.keys()] };
      return openAll(config, connections);
    },
    current: () => current,
    withRemoved: () => withRemoved,
    platformOf: (project) => removed.get(project) ?? connections.platformOf(project.name),
    missedOf: (project) => (removed.has(project) ? undefined : connections.missedOf(project.name)),
    credentialOf: (project) => connections.credentialOf(project.name),
    budgetOf: (project) => connections.budgetOf(project.name),
    credentials: connections.credentials,
  };
}

/** The same name on the same source: whatever else has changed, its runs are at home there. */
function isSame(one: Project, other: Project): boolean {
  return one.name === other.name && sourceKey(one.source) === sourceKey(other.source);
}

function farewell(project: Project): Project {
  const { polling: _, ...rest } = project;
  return { ...rest, triggers: new Set(['reconcile']) };
}

function openAll(config: Config, connections: Connections): { project: string; problem: string }[] {
  const specs = [...config.connections.values()].flatMap((connection) => {
    const state = config.secrets.credential(connection.project);
    if (!state.ok || connection.credentialName === undefined) return [];
    return [{ ...connection, credentialName: connection.credentialName, credential: state.credential }];
  });
  return connections.update(specs);
}
