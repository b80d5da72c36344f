/**
 * A ticket platform without network and without latency: what is left of a claim's time is our own and Redis's. Tickets
 * are in memory and change as on a real platform, so that every step of a claim does its work.
 */
import { lifecycleLabel, lifecycleOf } from '../src/domain/lifecycle.ts';
import { type Ticket, type TicketSource, ticketKey } from '../src/domain/ticket.ts';
import { PlatformError, type TicketPlatform } from '../src/platforms/contract.ts';

export interface MemoryPlatform extends TicketPlatform {
  /** Opens a ticket with these labels and answers its id. */
  open(labels: readonly string[]): string;
  /** Tickets that carry the label. */
  count(label: string): number;
}

export function createMemoryPlatform(source: TicketSource): MemoryPlatform {
  const tickets = new Map<string, Ticket>();

  const find = (id: string): Ticket => {
    const ticket = tickets.get(id);
    if (ticket === undefined) throw new PlatformError('not-found', `read ticket #${id}: there is none`);
    return ticket;
  };

  return {
    slug: source.platform,
    capabilities: { labelActors: false, catchupState: 'all' },
    open(labels) {
      const id = String(tickets.size + 1);
      tickets.set(id, {
        key: ticketKey(source, id),
        id,
        display: `${source.container}#${id}`,
        url: `https://${source.host}/${source.container}/issues/${id}`,
        title: `Ticket ${id}`,
        body: '',
        labels,
        open: true,
      });
      return id;
    },
    count: (label) => [...tickets.values()].filter(({ labels }) => labels.includes(label)).length,
    readTicket: async (id) => find(id),
    async moveLifecycle({ id }, to) {
      const ticket = find(id);
      const kept = ticket.labels.filter((label) => lifecycleOf(label) === undefined);
      const labels = to === undefined ? kept : [...kept, lifecycleLabel(to)];
      tickets.set(id, { ...ticket, labels });
      return labels;
    },
    listTickets: async ({ labels }) => ({
      tickets: [...tickets.values()].filter((ticket) => ticket.labels.some((label) => labels.includes(label))),
    }),
    ensureLifecycleLabels: async () => {},
    comment: async () => {},
    labelActor: async () => undefined,
    checkAccess: async () => [],
  };
}
