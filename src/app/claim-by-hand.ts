/** A claim that a person asks for: by the command line or by the API. */
import type { ClaimOutcome } from '../claims/claim-outcome.ts';
import { resolveTicketId } from '../claims/resolve-ticket.ts';
import type { TicketClaimService } from '../claims/ticket-claim-service.ts';
import type { Timing } from '../domain/timing.ts';
import type { Call } from '../platforms/contract.ts';
import type { KnownProjects } from './known-projects.ts';

export interface HandClaim {
  readonly project: string;
  /** The ticket's id, or the name by which people know it. */
  readonly ticketId: string;
  readonly again?: boolean;
}

export interface HandClaimDeps {
  readonly projects: Pick<KnownProjects, 'current' | 'platformOf'>;
  readonly claims: TicketClaimService;
  readonly timing: Pick<Timing, 'claimCallMs'>;
}

export async function claimByHand(
  { projects, claims, timing }: HandClaimDeps,
  { project: name, ticketId, again = false }: HandClaim,
  signal: AbortSignal,
): Promise<ClaimOutcome> {
  const project = projects.current().projects.find((candidate) => candidate.name === name);
  const platform = project === undefined ? undefined : projects.platformOf(project);
  const call: Call = { purpose: 'claim', deadlineMs: timing.claimCallMs, signal };
  // Without a platform the claim itself says why.
  const ticket = platform && (await resolveTicketId(platform, ticketId, call));
  if (ticket !== undefined && 'kind' in ticket) return ticket;
  return await claims.claim({ project: name, ticketId: ticket?.id ?? ticketId, trigger: 'manual', again }, signal);
}
