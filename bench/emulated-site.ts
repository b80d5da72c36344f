/**
 * One emulated tracker as a process of its own, so that its CPU time is not that of what is measured. Started with
 * `fork`; its argument is the platform. It says first how its project is watched, then does what it is told: puts
 * labelled tickets there, and tells when the replica has got how far with them, by its own ledger.
 */

import type { EmulatedProject } from '../src/emulators/emulated-project.ts';
import { openSites } from '../src/emulators/sites.ts';
import { messageOf } from '../src/foundation/errors.ts';

/** First message: how the project is watched. */
export interface SiteFacts {
  readonly tickets: Readonly<Record<string, unknown>>;
  readonly environment: Readonly<Record<string, string>>;
}

/** Opens tickets with a label, and answers when all of them show the lifecycle. */
export interface TicketsWanted {
  readonly count: number;
  readonly label: string;
  /** For example `enqueued`. */
  readonly until: string;
  /** Added to every answer of the platform, ms. */
  readonly latencyMs: number;
}

export interface TicketsDone {
  /** From the labels to the last ticket's lifecycle. */
  readonly seconds: number;
  /** Answered meanwhile. */
  readonly requests: number;
}

/** Opens tickets, one when the run of the one before is over, and labels each: what that sends goes to the hook. */
export interface DeliveriesWanted {
  readonly deliveries: number;
  readonly label: string;
  readonly hook: { readonly url: string; readonly secret: string };
}

/** A label that was set, and when: its delivery is sent in that moment. */
export interface LabelSet {
  /** Id of the ticket. */
  readonly ticketId: string;
  /** Wall clock, ms. */
  readonly atMs: number;
}

/** What is asked for: tickets, deliveries, or only the count of requests so far. */
export type SiteMessage = TicketsWanted | DeliveriesWanted | 'requests';

export type SiteAnswer =
  | TicketsDone
  | readonly LabelSet[]
  | { readonly paid: number; readonly notModified: number }
  | { readonly error: string };

const [platform = ''] = process.argv.slice(2);
const [site] = await openSites([platform]);
if (site === undefined) throw new Error(`no emulator of ${platform}`);
const { project } = site;

const requests = { paid: 0, notModified: 0 };
project.ledger.subscribe((entry) => {
  if (entry.kind === 'request') requests[entry.status === 304 ? 'notModified' : 'paid'] += 1;
});

async function work(wanted: TicketsWanted): Promise<TicketsDone> {
  const latency = project.faults.inject({}, { kind: 'latency', delayMs: wanted.latencyMs });
  const startedMs = performance.now();
  const before = requests.paid + requests.notModified;
  await allReach(project, wanted);
  latency.remove();
  return { seconds: (performance.now() - startedMs) / 1000, requests: requests.paid + requests.notModified - before };
}

async function allReach(
  { ledger, openTicket }: EmulatedProject,
  { count, label, until }: TicketsWanted,
): Promise<void> {
  const reached = new Set<string>();
  const opened: string[] = [];
  const done = Promise.withResolvers<void>();
  const stop = ledger.subscribe((entry) => {
    if (entry.kind !== 'label' || !entry.added.some((name) => name.endsWith(`:${until}`))) return;
    reached.add(entry.ticket);
    if (opened.length === count && opened.every((ticket) => reached.has(ticket))) done.resolve();
  });
  // Nobody gets a word in before all are there.
  while (opened.length < count) opened.push(openTicket({ labels: [label] }).ticket);
  await done.promise;
  stop();
}

async function deliver({ deliveries, label, hook }: DeliveriesWanted): Promise<LabelSet[]> {
  project.addWebhook(hook);
  const set: LabelSet[] = [];
  while (set.length < deliveries) {
    const { id, ticket } = project.openTicket();
    await project.webhooks.settled();
    set.push({ ticketId: id, atMs: Date.now() });
    project.addLabel(ticket, label);
    await project.ledger.waitFor(
      (entry) =>
        entry.kind === 'label' && entry.ticket === ticket && entry.added.some((name) => name.endsWith(':done')),
    );
    await project.webhooks.settled();
  }
  return set;
}

const answer = async (message: SiteMessage): Promise<SiteAnswer> => {
  try {
    if (message === 'requests') return { ...requests };
    return 'deliveries' in message ? await deliver(message) : await work(message);
  } catch (error) {
    return { error: messageOf(error) };
  }
};

process.on('message', (message) => void answer(message as SiteMessage).then((sent) => process.send?.(sent)));
// Whoever started us is gone, in whatever way.
process.on('disconnect', () => void site.close());
process.send?.({ tickets: project.tickets, environment: project.environment } satisfies SiteFacts);
