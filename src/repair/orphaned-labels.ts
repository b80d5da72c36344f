/**
 * The platform pass: lays the lifecycle labels that the platforms show beside our records (PROTOCOL 5 and 6), at the
 * start of a term and every ten minutes. This is what rebuilds the queue after Redis has lost everything.
 *
 * A listing only says where to look: every ticket is read again by its id before anything is changed, and a ticket
 * without a record must look the same twice, some time apart, since a claim may be about to write its record.
 */
import type { TicketClaimService } from '../claims/ticket-claim-service.ts';
import { decideLabel, type LabelAction } from '../domain/label-table.ts';
import { type Lifecycle, lifecycleLabel, lifecyclesOf } from '../domain/lifecycle.ts';
import type { Catalog, Project } from '../domain/project.ts';
import type { Run } from '../domain/run.ts';
import { sourceKey, type Ticket } from '../domain/ticket.ts';
import { elapsedMs, now } from '../foundation/clock.ts';
import { messageOf, unreachable } from '../foundation/errors.ts';
import type { Log } from '../foundation/log.ts';
import { sleep } from '../foundation/loop.ts';
import type { LabelWriter } from '../labels/label-writer.ts';
import type { Call, TicketPlatform } from '../platforms/contract.ts';
import type { ClaimRecords } from '../runs/claim-records.ts';
import type { LabelRecords } from '../runs/label-records.ts';
import type { RunReader } from '../runs/run-reader.ts';
import type { Term } from '../coordination/leader.ts';
import type { Pass } from './repair.ts';

/** Live lifecycle labels: what could be an orphan. Ended tickets are many, and nothing is to be done about them. */
const LOOKED_AT: readonly Lifecycle[] = ['enqueued', 'in-progress'];

export interface OrphanedLabelsDeps {
  readonly catalog: () => Catalog;
  readonly platformOf: (project: Project) => TicketPlatform | undefined;
  readonly runs: Pick<RunReader, 'ofTicket'>;
  readonly claimRecords: Pick<ClaimRecords, 'isLocked'>;
  readonly labelRecords: Pick<LabelRecords, 'settle'>;
  readonly claims: TicketClaimService;
  readonly labels: Pick<LabelWriter, 'project'>;
  readonly log: Log;
  readonly onOrphan: (facts: { ticket: Ticket; project: Project; action: LabelAction['kind'] }) => Promise<void>;
}

export interface OrphanedLabelsOptions {
  readonly listingDeadlineMs: number;
  readonly claimCallMs: number;
  readonly secondReadMs: number;
}

export function createOrphanedLabels(deps: OrphanedLabelsDeps, options: OrphanedLabelsOptions): Pass {
  const listed = async (platform: TicketPlatform, term: Term): Promise<Ticket[]> => {
    const startedAt = now();
    const tickets = new Map<string, Ticket>();
    let cursor: string | undefined;
    do {
      const page = await platform.listTickets({ labels: LOOKED_AT.map(lifecycleLabel), state: 'all' }, cursor, {
        purpose: 'repair',
        deadlineMs: Math.max(1, options.listingDeadlineMs - elapsedMs(startedAt)),
        signal: term.signal,
      });
      for (const ticket of page.tickets) tickets.set(ticket.key, ticket);
      cursor = page.next;
    } while (cursor !== undefined);
    return [...tickets.values()];
  };

  const call = (term: Term, purpose: Call['purpose']): Call => ({
    purpose,
    deadlineMs: options.claimCallMs,
    signal: term.signal,
  });

  /** The record and the fresh ticket, and what the table says to them. */
  const look = async (project: Project, platform: TicketPlatform, id: string, key: string, term: Term) => {
    const run = await deps.runs.ofTicket(key);
    const ticket = await platform.readTicket(id, call(term, 'repair'));
    const locked = await deps.claimRecords.isLocked(project.source.platform, key);
    return { run, ticket, action: decideLabel({ run, labels: ticket.labels, locked }) };
  };

  const act = async (
    project: Project,
    platform: TicketPlatform,
    seen: { run: Run | undefined; ticket: Ticket; action: LabelAction },
    term: Term,
  ): Promise<void> => {
    const { run, ticket, action } = seen;
    switch (action.kind) {
      case 'leave':
      case 'confirm':
      case 'give-up':
        return;
      case 'claim':
      case 'take-over':
        await deps.claims.claim({ project: project.name, ticketId: ticket.id, trigger: 'reconcile' }, term.signal);
        break;
      case 'doubt':
        if (run !== undefined) await deps.labelRecords.settle(run, { kind: 'doubt' });
        break;
      case 'write':
        if (run === undefined) await platform.moveLifecycle(ticket, action.lifecycle, call(term, 'repair'));
        else await deps.labels.project(run.id, { mayWrite: () => term.trusted(), signal: term.signal });
        break;
      default:
        unreachable(action);
    }
    await deps.onOrphan({ ticket, project, action: action.kind });
  };

  const visit = async (project: Project, platform: TicketPlatform, listing: Ticket, term: Term): Promise<void> => {
    const first = await look(project, platform, listing.id, listing.key, term);
    if (first.action.kind === 'leave' || first.action.kind === 'confirm') return;
    let seen = first;
    if (first.run === undefined) {
      if (!(await sleep(options.secondReadMs, term.signal))) return;
      seen = await look(project, platform, listing.id, listing.key, term);
      const same =
        seen.run === undefined && String(lifecyclesOf(seen.ticket.labels)) === String(lifecyclesOf(first.ticket.labels));
      if (!same) return;
    }
    term.assertTrusted();
    await act(project, platform, seen, term);
  };

  return async (term) => {
    const sources = new Map<string, Project>();
    for (const project of deps.catalog().projects) {
      if (project.disabled === undefined && !sources.has(sourceKey(project.source))) {
        sources.set(sourceKey(project.source), project);
      }
    }
    await Promise.all(
      [...sources.values()].map(async (project) => {
        const platform = deps.platformOf(project);
        if (platform === undefined) return;
        try {
          const tickets = await listed(platform, term);
          await Promise.all(tickets.map((ticket) => visit(project, platform, ticket, term)));
        } catch (error) {
          if (!term.signal.aborted) {
            deps.log.warn({ project: project.name, error: messageOf(error) }, 'platform pass not finished');
          }
        }
      }),
    );
  };
}
