/** What is asked of a claim, and step 0: what can be said to it without any I/O. */
import type { DeliveryName } from '../domain/delivery.ts';
import type { Catalog, Project, Trigger } from '../domain/project.ts';
import { projectsOnSource } from '../domain/routing.ts';
import type { Call, TicketPlatform } from '../platforms/contract.ts';
import { rejected, type Unclaimed } from './claim-outcome.ts';

export interface ClaimRequest {
  /** Any project on the ticket's source; routing decides which one takes the ticket. */
  readonly project: string;
  /** The platform's id of the ticket in that source, never a name: it is part of the key, and with it of the lock. */
  readonly ticketId: string;
  readonly trigger: Trigger;
  /** Only these projects may take the ticket: those that a delivery may reach. Undefined: all of them. */
  readonly among?: ReadonlySet<string>;
  /** A person wants a further run of what has ended, without a change of labels. */
  readonly again?: boolean;
  /** The delivery that asks. */
  readonly delivery?: AskingDelivery;
  /** How long the poll that asks has been under way. */
  readonly foundMs?: number;
}

export interface AskingDelivery {
  readonly name: DeliveryName;
  /** Redis TIME, ms. */
  readonly receivedAtMs: number;
}

/** One claim on its way: what its steps share. */
export interface Claim {
  readonly request: ClaimRequest;
  readonly project: Project;
  readonly platform: TicketPlatform;
  readonly catalog: Catalog;
  /** Projects on the ticket's source that take the trigger, in YAML order. */
  readonly projects: readonly Project[];
  /** Milliseconds until the whole claim must be over. */
  readonly leftMs: () => number;
  /** A call to the platform, ended by its own deadline or by the claim's. */
  readonly call: (purpose: Call['purpose']) => Call;
}

export interface PreCheckDeps {
  readonly catalog: () => Catalog;
  readonly platformOf: (project: Project) => TicketPlatform | undefined;
}

/** The claim, or why this configuration refuses it. */
export function preCheck(
  request: ClaimRequest,
  signal: AbortSignal,
  deps: PreCheckDeps,
  options: { readonly claimDeadlineMs: number; readonly claimCallMs: number },
): Claim | Unclaimed {
  const catalog = deps.catalog();
  const project = catalog.projects.find(({ name }) => name === request.project);
  if (project === undefined) return rejected('unknown-project', `no project ${request.project} in the configuration`);
  const platform = deps.platformOf(project);
  if (project.disabled !== undefined || platform === undefined) {
    return rejected('project-disabled', project.disabled ?? 'its platform is not connected');
  }
  const projects = projectsOnSource(catalog, project, request.trigger).filter(
    ({ name }) => request.among?.has(name) ?? true,
  );
  if (projects.length === 0)
    return rejected('trigger-not-allowed', `no project on this source takes tickets by ${request.trigger}`);
  // One clock will do for this deadline, and costs no system call; the lock, which must not be trusted too long, has all.
  const startedMs = performance.now();
  const leftMs = (): number => options.claimDeadlineMs - (performance.now() - startedMs);
  return {
    request,
    project,
    platform,
    catalog,
    projects,
    leftMs,
    call: (purpose) => ({ purpose, signal, deadlineMs: Math.max(1, Math.min(options.claimCallMs, leftMs())) }),
  };
}
