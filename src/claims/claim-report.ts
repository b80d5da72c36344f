/** Tells how a claim ended: one log line, the metrics, and the decision log where it says something new. */
import type { Catalog } from '../domain/project.ts';
import { ticketKey } from '../domain/ticket.ts';
import { messageOf } from '../foundation/errors.ts';
import type { Log } from '../foundation/log.ts';
import type { DecisionLog } from '../runs/decision-log.ts';
import { type ClaimFailure, type ClaimOutcome, describeOutcome } from './claim-outcome.ts';
import type { ClaimRequest } from './claim-request.ts';

export interface ClaimReportDeps {
  readonly catalog: () => Catalog;
  readonly decisions: Pick<DecisionLog, 'record'>;
  readonly log: Log;
  readonly onOutcome: ((facts: { readonly request: ClaimRequest; readonly outcome: ClaimOutcome }) => void) | undefined;
}

/** Gone by itself within seconds or minutes: normal, and not worth a line in the decision log. */
const PASSING: ReadonlySet<ClaimFailure> = new Set<ClaimFailure>([
  'contended',
  'recovering',
  'redis-unavailable',
  'backing-off',
]);

/** The report never fails a claim: what Redis does not take is only logged. */
export function createClaimReport(deps: ClaimReportDeps) {
  const { log } = deps;
  return async (request: ClaimRequest, outcome: ClaimOutcome, durationMs: number): Promise<void> => {
    deps.onOutcome?.({ request, outcome });
    const project = deps.catalog().projects.find(({ name }) => name === request.project);
    if (project === undefined) return;
    const passing = outcome.kind === 'failed' && PASSING.has(outcome.failure);
    const facts = {
      ticket: ticketKey(project.source, request.ticketId),
      project: request.project,
      trigger: request.trigger,
      outcome: describeOutcome(outcome),
      ...('run' in outcome ? { run: outcome.run } : {}),
      ...('detail' in outcome ? { detail: outcome.detail } : {}),
    };
    const level = outcome.kind === 'claimed' ? 'info' : outcome.kind === 'failed' && !passing ? 'warn' : 'debug';
    log[level]({ ...facts, platform: project.source.platform, durationMs }, 'claim');
    // The decision of a claim that made a run was written with the run itself.
    if (passing || outcome.kind === 'already-claimed' || outcome.kind === 'claimed') return;
    await deps.decisions.record({ ...facts, by: 'claim' }).catch((error: unknown) => {
      log.debug({ ticket: facts.ticket, error: messageOf(error) }, 'decision not recorded');
    });
  };
}
