/** From an emulated project to the source that watches it, the way the configuration goes. */
import type { TicketSource } from '../../src/domain/ticket.ts';
import type { EmulatedProject } from '../../src/emulators/emulated-project.ts';
import type { PlatformDescriptor, TicketsConfig } from '../../src/platforms/descriptor.ts';
import { PLATFORMS } from '../../src/platforms/registry.ts';

export interface WatchedSource {
  readonly descriptor: PlatformDescriptor;
  readonly tickets: TicketsConfig;
  readonly source: TicketSource;
}

/** @throws Error when the `tickets:` section of the project is not valid. */
export function watch(project: EmulatedProject): WatchedSource {
  const descriptor = PLATFORMS.find(({ slug }) => slug === project.platform);
  if (descriptor === undefined) throw new Error(`${project.platform} is not in the registry`);
  const tickets = descriptor.ticketsSchema.parse(project.tickets) as TicketsConfig;
  const source = descriptor.resolveSource(tickets);
  if ('problem' in source) throw new Error(`${source.key} ${source.problem}`);
  return { descriptor, tickets, source };
}
