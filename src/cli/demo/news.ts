/** "What just happened", in plain words: made from the ledgers of the emulators and of the pipelines. */
import type { Lifecycle } from '../../domain/lifecycle.ts';
import type { Trigger } from '../../domain/project.ts';
import { unreachable } from '../../foundation/errors.ts';
import type { Arrival } from './board-ticket.ts';
import { type LedgerLine, SERVICE } from './ledger.ts';

export type Tone = 'plain' | 'person' | 'good' | 'bad' | 'chaos';

export interface Piece {
  readonly text: string;
  readonly tone: Tone;
}

export interface NewsLine extends Piece {
  /** Since the start of the demo. */
  readonly atMs: number;
}

export interface News {
  tell(text: string, tone?: Tone): void;
  /** The latest ones, oldest first. */
  latest(count: number): readonly NewsLine[];
}

const REMEMBERED = 100;

const ARRIVES: Readonly<Record<Trigger, string>> = {
  webhook: 'comes in by webhook',
  poll: 'is found by a listing',
  reconcile: 'is found by repair',
  manual: 'is claimed by hand',
};

/** `onLine` gets each line at once, for output without a screen. */
export function createNews(startedAtMs: number, onLine: (line: NewsLine) => void): News {
  const lines: NewsLine[] = [];
  return {
    tell(text, tone = 'plain') {
      const line = { atMs: Date.now() - startedAtMs, text, tone };
      lines.push(line);
      if (lines.length > REMEMBERED) lines.shift();
      onLine(line);
    },
    latest: (count) => lines.slice(Math.max(0, lines.length - count)),
  };
}

/** What a move of our label means; undefined for what goes without saying. */
export function newsOfMove(name: string, to: Lifecycle, from: readonly (Lifecycle | undefined)[]): Piece | undefined {
  switch (to) {
    case 'enqueued':
      // The claim tells of itself.
      return from.includes('in-progress') ? { text: `${name} is handed back to the queue`, tone: 'chaos' } : undefined;
    case 'done':
      return { text: `${name} is done`, tone: 'good' };
    case 'failed':
      return { text: `${name} has failed`, tone: 'bad' };
    case 'in-progress':
    case 'pending':
      return undefined;
    default:
      return unreachable(to);
  }
}

/** What became of the tickets at work when a replica was killed: its own stop, the service's go on. */
export function newsOfKill(replica: string, stopped: readonly string[], served: readonly string[]): Piece {
  const under = stopped.length === 0 ? '' : ` while at work on ${stopped.join(' and ')}`;
  const beside = served.length === 0 ? '' : `; the ${SERVICE} goes on with ${served.join(' and ')}`;
  return { text: `${replica} is killed (SIGKILL)${under}${beside}`, tone: 'chaos' };
}

/** How a ticket came in. */
export function newsOfArrival(name: string, { by, afterMs }: Arrival): Piece {
  const after = afterMs < 1000 ? `${afterMs} ms` : `${(afterMs / 1000).toFixed(1)} s`;
  return { text: `${name} ${ARRIVES[by]} after ${after} and waits in the queue`, tone: 'plain' };
}

/** What a line of the pipelines' ledger means; undefined for beats and the like. */
export function newsOfRunner(line: LedgerLine, nameOf: (page: string) => string): Piece | undefined {
  if (line.event !== 'start') return undefined;
  const { replica, pipeline, attempt, ticket } = line;
  const name = nameOf(ticket);
  // What the service starts, nobody was at before, whatever attempt asked for it.
  return attempt === 1 || replica === SERVICE
    ? { text: `${replica} starts ${pipeline} on ${name}`, tone: 'plain' }
    : { text: `${replica} takes ${name} over: attempt ${attempt}`, tone: 'chaos' };
}
