/**
 * What platforms and runners answered is quoted in reasons and decisions, and may quote what they were sent: a token, for
 * one. Every text of that kind that goes to Redis, and from there to tickets and pages, passes here.
 */
import type { RunResult } from '../domain/run-result.ts';
import type { Redactor } from '../foundation/redactor.ts';
import type { AttemptRecords } from '../runs/attempt-records.ts';
import type { CallbackRecords } from '../runs/callback-records.ts';
import type { DecisionLog } from '../runs/decision-log.ts';
import type { LabelRecords } from '../runs/label-records.ts';

export interface QuotingRecords {
  readonly attemptRecords: AttemptRecords;
  readonly callbackRecords: CallbackRecords;
  readonly labelRecords: LabelRecords;
  readonly decisions: DecisionLog;
}

/** The same records, which keep no secret that the redactor knows when they are written. */
export function withoutSecrets(records: QuotingRecords, { redact }: Pick<Redactor, 'redact'>): QuotingRecords {
  const { attemptRecords: attempts, callbackRecords: callbacks, labelRecords: labels, decisions } = records;
  const clean = <T extends { readonly reason: string }>(quoting: T): T => ({
    ...quoting,
    reason: redact(quoting.reason),
  });
  const withoutSecretsIn = (result: RunResult | undefined): RunResult | undefined => {
    if (result === undefined) return undefined;
    const { summary, links } = result;
    return {
      ...(summary === undefined ? {} : { summary: redact(summary) }),
      links: links.map(({ title, url }) => ({ title: redact(title), url: redact(url) })),
    };
  };
  return {
    attemptRecords: {
      ...attempts,
      finish: (name, end) =>
        attempts.finish(name, { ...clean(end), output: redact(end.output), result: withoutSecretsIn(end.result) }),
      restore: (run, end) =>
        attempts.restore(run, end === undefined ? end : { ...clean(end), result: withoutSecretsIn(end.result) }),
      handBack: (name, how) => attempts.handBack(name, clean(how)),
      endQueued: (run, state, reason) => attempts.endQueued(run, state, redact(reason)),
    },
    callbackRecords: { ...callbacks, keep: (run, told) => callbacks.keep(run, redact(told)) },
    labelRecords: {
      ...labels,
      settle: (run, settlement) => labels.settle(run, 'reason' in settlement ? clean(settlement) : settlement),
    },
    decisions: {
      ...decisions,
      record: ({ detail, ...decision }) =>
        decisions.record({
          ...decision,
          outcome: redact(decision.outcome),
          ...(detail === undefined ? {} : { detail: redact(detail) }),
        }),
    },
  };
}
