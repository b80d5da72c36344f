/**
 * The only thing that `doctor` ever writes, and only when it is told to: the label `agent-smith:failed` on a ticket that
 * nothing else of ours is at, and away again, each read back. Nothing starts because of it: a ticket that shows a
 * lifecycle or that a project would start is refused.
 */
import { type Lifecycle, lifecycleLabel, lifecyclesOf } from '../../domain/lifecycle.ts';
import type { Catalog, Project } from '../../domain/project.ts';
import { routeTicket } from '../../domain/routing.ts';
import { sourceKey, type Ticket } from '../../domain/ticket.ts';
import { type Call, PlatformError, type TicketPlatform } from '../../platforms/contract.ts';
import type { DoctorCheck } from './check.ts';
import { adviceFor } from './network.ts';

const TEST_LABEL = lifecycleLabel('failed');

export interface WriteTestDeps {
  readonly catalog: Catalog;
  readonly project: Project;
  readonly platform: TicketPlatform;
  readonly call: Call;
}

/** @param ticketId id of the ticket, or the name by which people know it. */
export async function testWriting(
  { catalog, project, platform, call }: WriteTestDeps,
  ticketId: string,
): Promise<DoctorCheck> {
  const about = { subject: project.name, check: 'write-test' } as const;
  try {
    const ticket = await platform.readTicket(ticketId, call);
    const refusal = whyRefused(ticket, catalog, project);
    if (refusal !== undefined) {
      const advice = 'Take a ticket that nobody works on, without any of these labels.';
      return { ...about, state: 'problem', text: `nothing was written: ${ticket.display} ${refusal}`, advice };
    }
    // What the server does when it starts; otherwise the label would come into being without its colour.
    await platform.ensureLifecycleLabels(call);
    const labelled = await move(platform, ticket, 'failed', call);
    const cleaned = await move(platform, labelled, undefined, call);
    const lost = ticket.labels.filter((label) => !cleaned.labels.includes(label));
    if (lost.length > 0) return { ...about, state: 'problem', text: `${lost.join(', ')} was lost`, advice: TELL_US };
    const text = `${TEST_LABEL} was put on ${ticket.display}, read back, removed, and read back again`;
    return { ...about, state: 'ok', text };
  } catch (error) {
    if (!(error instanceof PlatformError)) throw error;
    const advice = `${adviceFor(error)} If the ticket shows ${TEST_LABEL} now, remove it by hand.`;
    return { ...about, state: 'problem', text: error.message, advice };
  }
}

const TELL_US = 'Put it back by hand and report this: labels of people are never to be touched.';

function whyRefused(ticket: Ticket, catalog: Catalog, project: Project): string | undefined {
  const [shown] = lifecyclesOf(ticket.labels);
  if (shown !== undefined) return `is labelled ${lifecycleLabel(shown)}`;
  const source = sourceKey(project.source);
  const watching = catalog.projects.filter((other) => sourceKey(other.source) === source);
  const routed = routeTicket(watching, ticket.labels);
  return routed && `carries "${routed.route.label}", a trigger label of ${routed.project.name}: it could start`;
}

/** Writes, reads the ticket afresh, and answers it; throws when it does not show what was written. */
async function move(platform: TicketPlatform, ticket: Ticket, to: Lifecycle | undefined, call: Call): Promise<Ticket> {
  await platform.moveLifecycle(ticket, to, call);
  const read = await platform.readTicket(ticket.id, call);
  const shown = lifecyclesOf(read.labels);
  if (shown.join() === (to ?? '')) return read;
  throw new PlatformError('conflict', `${ticket.display} shows ${shown.join(', ') || 'no lifecycle'} after the write`);
}
