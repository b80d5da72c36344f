/** The claim service on the stores of this process: the same for a replica and for a claim by hand. */

import type { ClaimOutcome } from '../claims/claim-outcome.ts';
import type { RunCanceller } from '../claims/run-canceller.ts';
import {
  createTicketClaimService,
  type TicketClaimDeps,
  type TicketClaimService,
} from '../claims/ticket-claim-service.ts';
import type { Timing } from '../domain/timing.ts';
import type { Findings } from '../foundation/findings.ts';
import type { Log } from '../foundation/log.ts';
import type { Trace } from '../foundation/trace.ts';
import type { KnownProjects } from './known-projects.ts';
import type { Stores } from './stores.ts';

export interface ClaimsParts {
  readonly projects: KnownProjects;
  readonly stores: Stores;
  readonly timing: Timing;
  readonly canceller: RunCanceller;
  readonly log: Log;
  readonly onOutcome: TicketClaimDeps['onOutcome'];
  readonly trace?: Trace;
}

export function openClaims({ projects, stores, timing, canceller, ...parts }: ClaimsParts): TicketClaimService {
  return createTicketClaimService(
    {
      // A claim that had begun before its project was removed may still be finished.
      catalog: projects.withRemoved,
      platformOf: projects.platformOf,
      records: stores.claimRecords,
      queue: stores.queue,
      decisions: stores.decisions,
      canceller,
      ...parts,
    },
    timing,
  );
}

/** The time in which too many runs are too many. */
const LIMIT_WINDOW_MS = 86_400_000;

/** A ticket that asks for run after run is a loop of somebody's making: people should hear of it. */
export function reportLoop(findings: Findings, project: string, ticketId: string, outcome: ClaimOutcome): void {
  const code = 'too-many-runs';
  const subject = `${project} ${ticketId}`;
  if (outcome.kind === 'not-eligible' && outcome.reason === code) {
    const text = `Project ${project}: ticket ${ticketId} has had too many runs within 24 hours and is not claimed again; what asks for it each time?`;
    // Its ticket may never be looked at again.
    findings.raise({ code, severity: 'warning', text }, subject, LIMIT_WINDOW_MS);
  } else if (outcome.kind !== 'failed') {
    findings.clear(code, subject);
  }
}
