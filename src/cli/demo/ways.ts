/** How a viewer sees the ways by which tickets come in. */
import type { EngineKind, Trigger } from '../../domain/project.ts';
import type { Style } from './cells.ts';

export interface Way {
  readonly symbol: string;
  readonly word: string;
  readonly styles: readonly Style[];
}

/** Of one ticket. */
export const WAYS: Readonly<Record<Trigger, Way>> = {
  webhook: { symbol: '↯', word: 'webhook', styles: ['yellow'] },
  poll: { symbol: '↻', word: 'listing', styles: ['blue'] },
  reconcile: { symbol: '↺', word: 'repair', styles: ['magenta'] },
  manual: { symbol: '↦', word: 'by hand', styles: [] },
};

/** Of a platform. */
export const ENGINES: Readonly<Record<EngineKind, Way>> = {
  streaming: { ...WAYS.webhook, word: 'webhooks' },
  polling: { ...WAYS.poll, word: 'polling' },
};
