/**
 * The poller leader's work: one loop per project, each on its own schedule, which the project's event engine sets: its own
 * interval while polling, a rare look beside its webhooks while streaming. A changed configuration rebuilds the loops in
 * place, without giving up the lease.
 */
import { bulkhead, type IPolicy } from 'cockatiel';
import type { TicketClaimService } from '../../claims/ticket-claim-service.ts';
import type { UnwantedRuns } from '../../claims/unwanted-runs.ts';
import type { Term } from '../../coordination/leader.ts';
import type { Catalog, Project } from '../../domain/project.ts';
import { sourceKey } from '../../domain/ticket.ts';
import { messageOf } from '../../foundation/errors.ts';
import type { Findings } from '../../foundation/findings.ts';
import { every, type Sleep, sleep } from '../../foundation/loop.ts';
import type { TicketPlatform } from '../../platforms/contract.ts';
import type { BudgetWindow } from '../../platforms/rate-limits.ts';
import type { RunReader } from '../../runs/run-reader.ts';
import { createEngineWatch, type EngineWatchDeps } from '../engines/engine-watch.ts';
import { followProject } from './follow-project.ts';
import { createListingsOwed } from './listings-owed.ts';
import { createLiveRuns } from './live-runs.ts';
import { createProjectPoller, type PollResult, TRY_AGAIN } from './project-poller.ts';

export interface Pollers {
  /** Polls until the term ends. */
  lead(term: Term): Promise<void>;
  /** The last poll of each project in this replica's term, by project; empty while it does not lead. */
  results(): ReadonlyMap<string, PollResult>;
}

export interface PollersDeps extends EngineWatchDeps {
  readonly catalog: () => Catalog;
  readonly platformOf: (project: Project) => TicketPlatform | undefined;
  /** Which credential a project uses: listings are bounded per credential. */
  readonly credentialOf: (project: Project) => string;
  /** What is left of that credential's budget. */
  readonly windowOf: (project: Project) => BudgetWindow | undefined;
  readonly claims: TicketClaimService;
  readonly unwanted: Pick<UnwantedRuns, 'look'>;
  readonly runs: Pick<RunReader, 'inState'>;
  readonly claimSignal: AbortSignal;
  readonly findings: Findings;
  /** Names the last loss of data that Redis has recovered from; undefined when there was none of late. */
  readonly lossOfData: () => string | undefined;
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
  /** How long a missed change may wait for its delivery, and how often engines are looked at between polls. */
  readonly engineDoubtMs: number;
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
  const watch = createEngineWatch(deps, options);
  const listings = createListingsOwed(deps.lossOfData);
  const liveRuns = createLiveRuns(deps.runs);
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

  const untilOwed = async ({ name }: Project, signal: AbortSignal): Promise<void> => {
    while (listings.owed(name) === undefined && (await sleep(options.engineDoubtMs, signal)));
  };

  const pollProject = async (project: Project, ahead: number, loops: Loops, signal: AbortSignal): Promise<void> => {
    const platform = deps.platformOf(project);
    if (platform === undefined) return;
    if (project.polling === undefined) await untilOwed(project, signal);
    const { intervalMs } = project.polling ?? TRY_AGAIN;
    await pause(Math.min(ahead * FIRST_POLLS_APART_MS, intervalMs), signal);
    const listing = slot(listingSlots, deps.credentialOf(project), LISTINGS_PER_CREDENTIAL);
    const ownClaims = slot(claimSlots, project.name, CLAIMS_PER_PROJECT);
    const allClaims = slot(credentialClaimSlots, deps.credentialOf(project), CLAIMS_PER_CREDENTIAL);
    const mayPoll = (): boolean => loops.term.trusted();
    const poller = createProjectPoller(
      project,
      {
        platform,
        among: loops.among,
        claims: deps.claims,
        unwanted: deps.unwanted,
        liveRuns,
        inListingSlot: (list) => listing.execute(list),
        inClaimSlot: (claim) => ownClaims.execute(() => allClaims.execute(claim)),
        window: () => deps.windowOf(project),
        mayClaim: mayPoll,
        claimSignal: deps.claimSignal,
        log,
      },
      options,
    );
    const following = { poller, watch, listings, mayPoll, note, log, sleep: pause };
    await followProject(project, following, options, signal);
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
    const followed = catalog.projects.filter(
      (p) => p.disabled === undefined && (p.polling !== undefined || p.triggers.has('webhook')),
    );
    const polled = followed.filter(({ polling }) => polling !== undefined);
    const names = new Set(followed.map(({ name }) => name));
    forget([...results.keys()].filter((name) => !names.has(name)));
    watch.retain(names);
    deps.onCatalog?.(names);
    const credentials = new Set(followed.map(deps.credentialOf));
    keepOnly(listingSlots, credentials);
    keepOnly(credentialClaimSlots, credentials);
    keepOnly(claimSlots, names);
    log.info({ projects: polled.length, sources: new Set(polled.map((p) => sourceKey(p.source))).size }, 'polling');
    const started = new Map<string, number>();
    const loops: Loops = { term, among: new Set(catalog.projects.map(({ name }) => name)) };
    // Whoever has waited longest begins: reloads in quick succession must not leave out the same ones each time.
    const lastPollMs = ({ name }: Project): number => results.get(name)?.atMs ?? 0;
    const inTurn = followed.toSorted((one, other) => lastPollMs(one) - lastPollMs(other));
    return Promise.all(
      inTurn.map((project) => {
        const credential = deps.credentialOf(project);
        const ahead = started.get(credential) ?? 0;
        started.set(credential, ahead + 1);
        return pollProject(project, ahead, loops, signal);
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
      watch.retain(new Set());
    },
  };
}

/** What the loops of one configuration in one term share. */
interface Loops {
  readonly term: Term;
  /** The projects of the configuration, by name. */
  readonly among: ReadonlySet<string>;
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
