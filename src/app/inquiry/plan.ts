/**
 * One cycle of all polled projects without a write: what would be claimed, what not and why, and what polling costs of the
 * API budget of each credential. For `agent-smith plan`.
 */
import type { Project } from '../../domain/project.ts';
import { createProjectPlanner, type PlannedTicket, type ProjectPlan } from '../../ingress/polls/project-plan.ts';
import type { UsedCredential } from '../../platforms/connections.ts';
import { type BudgetWindow, RESERVE_SHARE } from '../../platforms/rate-limits.ts';
import type { AppOptions } from '../options.ts';
import { openInquiry } from './inquiry.ts';
import { createPlanSlots, ENOUGH_SILENCE } from './plan-slots.ts';

/** What polling one project costs and brings. */
export interface PlannedProject {
  readonly project: string;
  readonly platform: string;
  /** Name of the credential, never the secret. */
  readonly credential: string;
  readonly triggerLabels: readonly string[];
  readonly intervalMs: number;
  readonly plan: ProjectPlan;
  /** HTTP requests of one such cycle from now on: its listings, and the reads of tickets that stay where they are. */
  readonly requestsPerCycle: number;
  readonly requestsPerHour: number;
}

export interface CredentialCost {
  readonly credential: string;
  readonly platform: string;
  readonly projects: number;
  readonly requestsPerHour: number;
  /** What the platform said of the budget; undefined when it did not. */
  readonly window: BudgetWindow | undefined;
  /** What polls may use of it in an hour; undefined when the platform did not say. */
  readonly allowedPerHour: number | undefined;
  /** The intervals ask for more than that. */
  readonly tooMuch: boolean;
}

export interface PlanReport {
  readonly projects: readonly PlannedProject[];
  /** Projects that are not polled, and why. */
  readonly left: readonly { readonly project: string; readonly why: string }[];
  readonly credentials: readonly CredentialCost[];
  /** Why the records in Redis were not looked at; undefined when they were. */
  readonly unlooked: string | undefined;
}

export interface PlanOptions extends Pick<AppOptions, 'config' | 'timing' | 'log' | 'redactor'> {
  /** Only this one. */
  readonly project?: string | undefined;
  /** Candidates of a project that are read. */
  readonly mostJudged: number;
}

const HOUR_MS = 3_600_000;

export async function plan(options: PlanOptions, signal: AbortSignal): Promise<PlanReport> {
  const { config, timing } = options;
  options.redactor.add(config.secrets.all());
  const inquiry = openInquiry({ ...options, config: () => config });
  const { projects, foresight, stores } = inquiry;
  const inSlot = createPlanSlots();
  /** By credential, how many in a row were not answered. */
  const silent = new Map<string, number>();

  const planOne = async (project: Project): Promise<PlannedProject | { readonly project: string; why: string }> => {
    const { name, disabled, polling } = project;
    const platform = projects.platformOf(project);
    const why = disabled ?? unopened.get(name) ?? (polling === undefined ? 'it is not polled' : undefined);
    if (why !== undefined || polling === undefined || platform === undefined) {
      return { project: name, why: why ?? 'its platform is not connected' };
    }
    const credential = projects.credentialOf(project);
    const planner = createProjectPlanner(
      project,
      { platform, foresight },
      { ...timing, mostJudged: options.mostJudged },
    );
    const planned = await inSlot(credential, async () => {
      if ((silent.get(credential) ?? 0) >= ENOUGH_SILENCE) return undefined;
      const seen = await planner.cycle(signal);
      silent.set(credential, seen.result === 'unavailable' ? (silent.get(credential) ?? 0) + 1 : 0);
      return seen;
    });
    if (planned === undefined) {
      return { project: name, why: `not asked: of ${ENOUGH_SILENCE} others with its credential none was answered` };
    }
    const requestsPerCycle = planned.listingRequests + requestsOfStaying(planned.tickets);
    return {
      project: name,
      platform: project.source.platform,
      credential,
      triggerLabels: [...project.routing.pipelineFromLabel.keys()],
      intervalMs: polling.intervalMs,
      plan: planned,
      requestsPerCycle,
      requestsPerHour: Math.ceil((requestsPerCycle * HOUR_MS) / polling.intervalMs),
    };
  };

  let unopened: ReadonlyMap<string, string> = new Map();
  try {
    unopened = new Map(projects.update(config).map(({ project, problem }) => [project, problem]));
    await inquiry.settle();
    const wanted = projects
      .current()
      .projects.filter(({ name }) => options.project === undefined || name === options.project);
    const results = await Promise.all(wanted.map(planOne));
    const planned = results.filter((result) => 'plan' in result);
    return {
      projects: planned,
      left: results.filter((result) => 'why' in result),
      credentials: costsOf(planned, projects.credentials()),
      unlooked: unlookedBecause(stores),
    };
  } finally {
    await inquiry.close();
  }
}

/** Tickets that are not claimed, and not for good, are read again in each cycle. */
function requestsOfStaying(tickets: readonly PlannedTicket[]): number {
  return tickets
    .filter(({ foreseen: { outcome } }) => outcome.kind !== 'would-claim' && outcome.kind !== 'rejected')
    .reduce((sum, { requests }) => sum + requests, 0);
}

function costsOf(planned: readonly PlannedProject[], used: readonly UsedCredential[]): CredentialCost[] {
  return used.flatMap(({ credential, platform, limits }) => {
    const mine = planned.filter((project) => project.credential === credential);
    if (mine.length === 0) return [];
    const requestsPerHour = mine.reduce((sum, project) => sum + project.requestsPerHour, 0);
    const { window } = limits.budget();
    const allowedPerHour = allowedIn(window);
    const tooMuch = allowedPerHour !== undefined && requestsPerHour > allowedPerHour;
    return [{ credential, platform, projects: mine.length, requestsPerHour, window, allowedPerHour, tooMuch }];
  });
}

/** The rest of a budget is kept for claims and labels. */
function allowedIn(window: BudgetWindow | undefined): number | undefined {
  if (window?.limit === undefined || window.windowMs === undefined) return undefined;
  return Math.floor((window.limit * (1 - RESERVE_SHARE) * HOUR_MS) / window.windowMs);
}

function unlookedBecause(stores: ReturnType<typeof openInquiry>['stores']): string | undefined {
  if (stores === undefined) return 'REDIS_URL is not set here';
  const { state, reason } = stores.redis.status();
  return state === 'up' ? undefined : reason;
}
