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

/** What is asked for: tickets, or only the count of requests so far. */
export type SiteMessage = TicketsWanted | 'requests';

export type SiteAnswer =
  | TicketsDone
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

const answer = async (message: SiteMessage): Promise<SiteAnswer> => {
  try {
    return message === 'requests' ? { ...requests } : await work(message);
  } catch (error) {
    return { error: messageOf(error) };
  }
};

process.on('message', (message) => void answer(message as SiteMessage).then((sent) => process.send?.(sent)));
// Whoever started us is gone, in whatever way.
process.on('disconnect', () => void site.close());
process.send?.({ tickets: project.tickets, environment: project.environment } satisfies SiteFacts);
