/** Pollers on a real house, in a term that the test ends. */
import { onTestFinished } from 'vitest';
import type { ClaimOutcome } from '../../../src/claims/claim-outcome.ts';
import type { ClaimRequest } from '../../../src/claims/claim-request.ts';
import type { TicketClaimService } from '../../../src/claims/ticket-claim-service.ts';
import { type Term, TermLost } from '../../../src/coordination/leader.ts';
import type { Catalog } from '../../../src/domain/project.ts';
import type { Log } from '../../../src/foundation/log.ts';
import type { Sleep } from '../../../src/foundation/loop.ts';
import {
  createPollers,
  type Pollers,
  type PollersDeps,
  type PollersOptions,
} from '../../../src/ingress/polls/pollers.ts';
import type { PollResult } from '../../../src/ingress/polls/project-poller.ts';
import { type House, type Rooms, silentLog } from '../../support/house.ts';
import { until } from '../../support/until.ts';

export interface Polling {
  readonly pollers: Pollers;
  /** Every poll so far. */
  readonly polls: readonly PollResult[];
  /** Every claim that was asked for. */
  readonly asked: readonly ClaimRequest[];
  /** How often it was asked whether the term is trusted. */
  readonly looks: () => number;
  readonly ended: Promise<void>;
  /** What ends a claim: the end of the process, here of the test. */
  readonly ending: AbortSignal;
  /** Ends the term, as a lost lease does. */
  endTerm(): void;
  reload(catalog: Catalog): void;
  /** Resolves with the first poll of a project that satisfies the predicate. */
  poll(project: string, predicate: (poll: PollResult) => boolean): Promise<PollResult>;
}

export interface PollingOptions
  extends Partial<PollersOptions>,
    Partial<Pick<PollersDeps, 'listenerUp' | 'arrivals' | 'lossOfData'>> {
  /** Instead of the real claim service. */
  readonly claim?: (request: ClaimRequest) => Promise<ClaimOutcome>;
  /** Whether the term is trusted, while its signal does not say otherwise. */
  readonly trusted?: () => boolean;
  /** Instead of real time. */
  readonly sleep?: Sleep;
  readonly log?: Log;
}

export function startPolling(house: Rooms & Partial<Pick<House, 'limits'>>, options: PollingOptions = {}): Polling {
  let catalog = house.catalog;
  const polls: PollResult[] = [];
  const asked: ClaimRequest[] = [];
  const claims: TicketClaimService = {
    claim: (request, signal) => {
      asked.push(request);
      return options.claim?.(request) ?? house.claims.claim(request, signal);
    },
  };
  const over = new AbortController();
  const ending = new AbortController();
  const pollers = createPollers(
    {
      catalog: () => catalog,
      platformOf: house.platformOf,
      credentialOf: ({ source }) => source.host,
      windowOf: () => house.limits?.budget().window,
      claims,
      unwanted: house.unwanted,
      runs: house.runs,
      claimSignal: ending.signal,
      findings: house.findings,
      log: options.log ?? silentLog,
      listenerUp: options.listenerUp ?? (() => true),
      arrivals: options.arrivals ?? (async () => new Map()),
      lossOfData: options.lossOfData ?? (() => undefined),
      onPoll: (result) => polls.push(result),
      ...(options.sleep && { sleep: options.sleep }),
    },
    { ...house.timing, catalogCheckMs: 10, summaryMs: 60_000, ...options },
  );
  let looks = 0;
  const trusted = (): boolean => {
    looks += 1;
    return !over.signal.aborted && (options.trusted?.() ?? true);
  };
  const term: Term = {
    role: 'poller',
    epoch: 1,
    signal: over.signal,
    trusted,
    assertTrusted() {
      if (!trusted()) throw new TermLost('poller', 1);
    },
  };
  const ended = pollers.lead(term);
  ended.catch(() => undefined);
  onTestFinished(async () => {
    over.abort();
    ending.abort();
    // How it ended is the test's own question.
    await ended.catch(() => undefined);
  });
  return {
    pollers,
    polls,
    asked,
    looks: () => looks,
    ended,
    ending: ending.signal,
    endTerm: () => over.abort(),
    reload: (next) => (catalog = next),
    poll: (project, predicate) =>
      until(`${project} is polled`, () => polls.find((poll) => poll.project === project && predicate(poll))),
  };
}
