/**
 * A platform on paper: tickets with labels in memory, so that thousands of sequences a minute can write on them. How real
 * platforms answer is other tests' business; here a label is what the last writer left.
 */
import { type Lifecycle, lifecycleLabel, lifecycleOf, lifecyclesOf } from '../../src/domain/lifecycle.ts';
import type { Project } from '../../src/domain/project.ts';
import { type Ticket, ticketKey } from '../../src/domain/ticket.ts';
import { PlatformError, type TicketPlatform } from '../../src/platforms/contract.ts';

export const TRIGGER_LABEL = 'agent-smith';

export const PAPER_PROJECT: Project = {
  name: 'paper',
  source: { platform: 'github', host: 'paper', container: 'org/api', apiUrl: 'http://paper' },
  code: { type: 'GitHub', url: 'http://paper/org/api' },
  routing: { pipelineFromLabel: new Map([[TRIGGER_LABEL, 'fix-bug']]), defaultPipeline: 'fix-bug' },
  triggers: new Set(['poll', 'webhook', 'manual', 'reconcile']),
  maxParallelJobs: 1,
};

export const keyOf = (id: string): string => ticketKey(PAPER_PROJECT.source, id);

export interface PaperPlatform extends TicketPlatform {
  labelsOf(id: string): readonly string[];
  ticketOf(id: string): Ticket;
  /** Makes these the only lifecycle labels; people's labels stay. */
  paint(id: string, lifecycles: readonly Lifecycle[]): void;
}

/** By id, the labels that each ticket has at first. */
export function createPaperPlatform(tickets: Readonly<Record<string, readonly string[]>>): PaperPlatform {
  const labels = new Map(Object.entries(tickets));
  const labelsOf = (id: string): readonly string[] => labels.get(id) ?? [];
  const ticketOf = (id: string): Ticket => ({
    key: keyOf(id),
    id,
    display: `org/api#${id}`,
    url: `http://paper/${id}`,
    title: '',
    body: '',
    labels: labelsOf(id),
    open: true,
  });
  const paint = (id: string, lifecycles: readonly Lifecycle[]): void => {
    const peoples = labelsOf(id).filter((label) => lifecycleOf(label) === undefined);
    labels.set(id, [...peoples, ...lifecyclesOf(lifecycles.map(lifecycleLabel)).map(lifecycleLabel)]);
  };
  return {
    slug: 'github',
    capabilities: { labelActors: false, catchupState: 'open' },
    labelsOf,
    ticketOf,
    paint,
    listTickets: async (query) => ({
      tickets: [...labels.keys()].map(ticketOf).filter((ticket) => ticket.labels.some((l) => query.labels.includes(l))),
    }),
    readTicket: async (id) => ticketOf(id),
    moveLifecycle: async ({ id }, to) => {
      paint(id, to === undefined ? [] : [to]);
      return labelsOf(id);
    },
    ensureLifecycleLabels: async () => {},
    comment: async () => {},
    labelActor: async () => {
      throw new PlatformError('unsupported', 'nobody knows who wrote on paper');
    },
    checkAccess: async () => [],
  };
}
