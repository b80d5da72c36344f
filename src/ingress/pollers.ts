/**
 * The poller leader's work: one loop per polled project, each on its own schedule. A changed configuration rebuilds the
 * loops in place, without giving up the lease.
 */
import { bulkhead, type IPolicy } from 'cockatiel';
import type { TicketClaimService } from '../claims/ticket-claim-service.ts';
import type { Term } from '../coordination/leader.ts';
import type { Catalog, Project } from '../domain/project.ts';
import { sourceKey } from '../domain/ticket.ts';
import { messageOf } from '../foundation/errors.ts';
import type { Findings } from '../foundation/findings.ts';
import type { Log } from '../foundation/log.ts';
import { every, type Sleep, sleep } from '../foundation/loop.ts';
import type { TicketPlatform } from '../platforms/contract.ts';
import type { BudgetWindow } from '../platforms/rate-limits.ts';
import { createProjectPoller, type PollResult } from './project-poller.ts';

export interface Pollers {
  /** Polls until the term ends. */
  lead(term: Term): Promise<void>;
  /** The last poll of each project in this replica's term, by project; empty while it does not lead. */
  results(): ReadonlyMap<string, PollResult>;
}

export interface PollersDeps {
  readonly catalog: () => Catalog;
  readonly platformOf: (project: Project) => TicketPlatform | undefined;
  /** Which credential a project uses: listings are bounded per credential. */
  readonly credentialOf: (project: Project) => string;
  /** What is left of that credential's budget. */
  readonly windowOf: (project: Project) => BudgetWindow | undefined;
  readonly claims: TicketClaimService;
  readonly claimSignal: AbortSignal;
  readonly findings: Findings;
  readonly log: Log;
  readonly onPoll?: (result: PollResult) => void;
  /** How polls pause; default: real time. */
  readonly sleep?: Sleep;
  /** A configuration begins to be polled: the names of its projects. */
  readonly onCatalog?: (projects: ReadonlySet<string>) => void;
}

export interface PollersOptions {
  readonly listingDeadlineMs: number;
  readonly claimCallMs: number;
  readonly pollBackoffMaxMs: number;
  /** How often a changed configuration is looked for. */
  readonly catalogCheckMs: number;
  /** How often the leader says what it did. */
  readonly summaryMs: number;
}

/** Platforms ask to keep requests of one credential few at a time; eight still fetch a thousand projects in time. */
const LISTINGS_PER_CREDENTIAL = 8;
/** First polls with one credential begin this far apart: a thousand projects at once would meet a platform's limit per minute. */
const FIRST_POLLS_APART_MS = 130;
export const CLAIMS_PER_PROJECT = 4;
/** GitHub allows a hundred requests of one credential at a time, for everything. */
const CLAIMS_PER_CREDENTIAL = 32;
/** Failed polls in a row before they become a finding. */
const FAILURES_TO_REPORT = 3;

export function createPollers(deps: PollersDeps, options: PollersOptions): Pollers {
  const { log, sleep: pause = sleep } = deps;
  const results = new Map<string, PollResult>();
  const failing = new Map<string, number>();
  const listingSlots = new Map<string, IPolicy>();
  const claimSlots = new Map<string, IPolicy>();
  const credentialClaimSlots = new Map<string, IPolicy>();
  const slot = (slots: Map<string, IPolicy>, key: string, size: number): IPolicy => {
    const known = slots.get(key) ?? bulkhead(size, Number.POSITIVE_INFINITY);
    slots.set(key, known);
    return known;
  };

  const note = (result: PollResult): void => {
    results.set(result.project, result);
    deps.onPoll?.(result);
    // Held back until a time that is known: the credential is what is limited, not the project that is broken.
    if (result.heldBack) return;
    const failures = result.result === 'ok' ? 0 : (failing.get(result.project) ?? 0) + 1;
    failing.set(result.project, failures);
    if (failures === 0) deps.findings.clear('poll-failing', result.project);
    if (failures < FAILURES_TO_REPORT) return;
    deps.findings.raise(
      {
        code: 'poll-failing',
        severity: 'error',
        text: `Project ${result.project} cannot be polled (${result.result}), ${failures} times in a row: its tickets wait. agent-smith doctor says what to do.`,
      },
      result.project,
    );
  };

  const pollProject = async (project: Project, ahead: number, term: Term, signal: AbortSignal): Promise<void> => {
    const platform = deps.platformOf(project);
    if (platform === undefined || project.polling === undefined) return;
    await pause(Math.min(ahead * FIRST_POLLS_APART_MS, project.polling.intervalMs), signal);
    const listing = slot(listingSlots, deps.credentialOf(project), LISTINGS_PER_CREDENTIAL);
    const ownClaims = slot(claimSlots, project.name, CLAIMS_PER_PROJECT);
    const allClaims = slot(credentialClaimSlots, deps.credentialOf(project), CLAIMS_PER_CREDENTIAL);
    const poller = createProjectPoller(
      project,
      project.polling,
      {
        platform,
        claims: deps.claims,
        inListingSlot: (list) => listing.execute(list),
        inClaimSlot: (claim) => ownClaims.execute(() => allClaims.execute(claim)),
        window: () => deps.windowOf(project),
        mayClaim: () => term.trusted(),
        claimSignal: deps.claimSignal,
        log,
      },
      options,
    );
    await every(
      {
        intervalMs: () => poller.pauseMs(),
        signal,
        sleep: pause,
        onError: (error) => log.error({ project: project.name, error: messageOf(error) }, 'poll loop failed'),
      },
      async () => {
        // The leader ends the term; here it is enough to do nothing any more.
        if (!term.trusted()) return;
        const result = await poller.poll(signal);
        if (!signal.aborted) note(result);
      },
    );
  };

  const forget = (projects: Iterable<string>): void => {
    for (const project of projects) {
      results.delete(project);
      failing.delete(project);
      deps.findings.clear('poll-failing', project);
    }
  };

  /** Starts one configuration's loops; they end with the signal, or with the claims that are under way then. */
  const pollCatalog = (catalog: Catalog, term: Term, signal: AbortSignal): Promise<unknown> => {
    const polled = catalog.projects.filter((p) => p.polling !== undefined && p.disabled === undefined);
    const names = new Set(polled.map(({ name }) => name));
    forget([...results.keys()].filter((name) => !names.has(name)));
    deps.onCatalog?.(names);
    const credentials = new Set(polled.map(deps.credentialOf));
    keepOnly(listingSlots, credentials);
    keepOnly(credentialClaimSlots, credentials);
    keepOnly(claimSlots, names);
    log.info({ projects: polled.length, sources: new Set(polled.map((p) => sourceKey(p.source))).size }, 'polling');
    const started = new Map<string, number>();
    return Promise.all(
      polled.map((project) => {
        const credential = deps.credentialOf(project);
        const ahead = started.get(credential) ?? 0;
        started.set(credential, ahead + 1);
        return pollProject(project, ahead, term, signal);
      }),
    );
  };

  const untilChanged = async (catalog: Catalog, signal: AbortSignal): Promise<void> => {
    while (deps.catalog() === catalog && (await sleep(options.catalogCheckMs, signal)));
  };

  const sayWhatWasDone = async (term: Term): Promise<void> => {
    const latest = [...results.values()];
    if (latest.length === 0) return;
    log.info(
      {
        epoch: term.epoch,
        projects: latest.length,
        failing: latest.filter(({ result, heldBack }) => result !== 'ok' && !heldBack).length,
        heldBack: latest.filter(({ heldBack }) => heldBack).length,
        truncated: latest.filter(({ truncated }) => truncated).length,
      },
      'poller summary',
    );
  };

  return {
    results: () => results,
    async lead(term) {
      const summary = every(
        {
          intervalMs: options.summaryMs,
          signal: term.signal,
          onError: (error) => log.error({ error: messageOf(error) }, 'summary failed'),
        },
        () => sayWhatWasDone(term),
      );
      const loops = new Set<Promise<unknown>>([summary]);
      while (!term.signal.aborted) {
        const catalog = deps.catalog();
        const changed = new AbortController();
        const polling = pollCatalog(catalog, term, AbortSignal.any([term.signal, changed.signal]));
        loops.add(polling);
        await Promise.race([untilChanged(catalog, term.signal), failureOf(polling)]);
        // The new loops need not wait for the claims that the old ones have under way.
        changed.abort();
      }
      await Promise.all(loops);
      // What this replica saw last is the next leader's to say.
      forget([...results.keys()]);
    },
  };
}

/** Credentials are rotated, and each has a new name: without this the slots would grow with every rotation. */
function keepOnly(slots: Map<string, IPolicy>, used: ReadonlySet<string>): void {
  for (const key of slots.keys()) if (!used.has(key)) slots.delete(key);
}

/** Never resolves: loops that have nothing to do are no reason to end a term, loops that cannot run are. */
function failureOf(loops: Promise<unknown>): Promise<never> {
  return new Promise((_, reject) => {
    loops.catch(reject);
  });
}
