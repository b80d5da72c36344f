/** What a project that waits for the label `fix` asks of its platform. */
import type { TicketSource } from '../../src/domain/ticket.ts';
import type { MissedQuestion } from '../../src/platforms/missed-deliveries.ts';

/** Of all time and of every hook, unless said otherwise. */
export function missedQuestion(source: TicketSource, more: Partial<MissedQuestion> = {}): MissedQuestion {
  return {
    sinceMs: 0,
    isOurs: () => true,
    project: {
      name: 'watcher',
      source,
      code: { type: 'GitHub', url: 'https://github.com/acme/code' },
      routing: { pipelineFromLabel: new Map([['fix', 'fix-bug']]) },
      triggers: new Set(['webhook']),
    },
    most: 100,
    ...more,
  };
}
