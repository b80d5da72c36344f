/**
 * One cycle of a project's polls without a write: the same listings as `project-poller.ts`, and of each candidate what a
 * claim would answer. `plan` runs it once, a dry run again and again.
 *
 * Nothing takes a ticket out of the listings here, so a ticket whose answer cannot change while it looks the same is
 * not read again: a dry run would otherwise read every ticket in every cycle.
 */
import type { ClaimForesight, Foreseen } from '../../claims/claim-foresight.ts';
import type { Project } from '../../domain/project.ts';
import type { Ticket } from '../../domain/ticket.ts';
import type { PlatformErrorKind, TicketPlatform } from '../../platforms/contract.ts';
import { createCandidateListing, isHeldBack } from './listing.ts';

/** What a claim of this ticket would answer. */
export interface PlannedTicket {
  readonly id: string;
  readonly key: string;
  readonly display: string;
  readonly url: string;
  readonly foreseen: Foreseen;
  /** HTTP requests that it took; 0 when it was known from an earlier cycle. */
  readonly requests: number;
}

export interface ProjectPlan {
  readonly project: string;
  readonly platform: string;
  readonly result: 'ok' | PlatformErrorKind;
  /** In words; undefined when all went well. */
  readonly problem: string | undefined;
  /** No request was sent: the credential was held back. */
  readonly heldBack: boolean;
  readonly retryAfterMs: number | undefined;
  /** Candidates by trigger labels, and by `agent-smith:pending`. */
  readonly discovered: number;
  readonly pending: number;
  /** Each candidate once. */
  readonly candidates: number;
  /** There is more than one cycle takes. */
  readonly truncated: boolean;
  /** Of the candidates, those that were judged; the rest was left out to spare the API budget. */
  readonly tickets: readonly PlannedTicket[];
  /** HTTP requests of the listings. */
  readonly listingRequests: number;
  readonly durationMs: number;
}

export interface ProjectPlannerDeps {
  readonly platform: TicketPlatform;
  readonly foresight: ClaimForesight;
}

export interface ProjectPlannerOptions {
  readonly listingDeadlineMs: number;
  /** Candidates read in one cycle. */
  readonly mostJudged: number;
}

export interface ProjectPlanner {
  /** Throws only for bugs. */
  cycle(signal: AbortSignal): Promise<ProjectPlan>;
}

export function createProjectPlanner(
  project: Project,
  { platform, foresight }: ProjectPlannerDeps,
  options: ProjectPlannerOptions,
): ProjectPlanner {
  const list = createCandidateListing(project, platform);
  let settled: ReadonlyMap<string, Foreseen> = new Map();

  const judgeAll = async (candidates: readonly Ticket[], signal: AbortSignal): Promise<PlannedTicket[]> => {
    const planned: PlannedTicket[] = [];
    const stays = new Map<string, Foreseen>();
    let judged = 0;
    for (const { id, key, display, url, labels } of candidates) {
      const sight = [key, ...labels].join('\n');
      const known = settled.get(sight);
      if (known === undefined && (judged >= options.mostJudged || signal.aborted)) continue;
      let requests = 0;
      const onRequest = (): void => {
        requests += 1;
      };
      const request = { project: project.name, ticketId: id, trigger: 'poll' } as const;
      const foreseen = known ?? (await foresight.foresee(request, signal, onRequest));
      if (known === undefined) judged += 1;
      if (isSettled(foreseen)) stays.set(sight, foreseen);
      planned.push({ id, key, display, url, foreseen, requests });
    }
    settled = stays;
    return planned;
  };

  return {
    async cycle(signal) {
      const startedMs = performance.now();
      let listingRequests = 0;
      const limits = {
        deadlineMs: options.listingDeadlineMs,
        signal,
        onRequest: (): void => {
          listingRequests += 1;
        },
      };
      const found = await list(limits, { purpose: 'inspect' });
      const { problem } = found;
      return {
        project: project.name,
        platform: platform.slug,
        result: problem === undefined ? 'ok' : problem.kind,
        problem: problem?.message,
        heldBack: isHeldBack(problem),
        retryAfterMs: problem?.retryAfterMs,
        discovered: found.discovered,
        pending: found.pending,
        candidates: found.tickets.length,
        truncated: found.truncated,
        tickets: await judgeAll(found.tickets, signal),
        listingRequests,
        durationMs: Math.round(performance.now() - startedMs),
      };
    },
  };
}

/** Whether the answer can only change with the ticket or with the configuration. */
function isSettled({ outcome }: Foreseen): boolean {
  return outcome.kind === 'would-claim' || outcome.kind === 'rejected';
}
