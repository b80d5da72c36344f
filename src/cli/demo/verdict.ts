/**
 * What the demo claims at its end: nothing lost, nothing doubled. Pure, and fed from two witnesses only: the labels that
 * the emulated platform holds, and the ledger that the pipelines themselves wrote. No counter of ours is asked.
 *
 * The ledger is one file that every pipeline appends to, so its lines have one order. "At the same time" and "again"
 * are read from that order and never from a clock.
 */
import { lifecyclesOf } from '../../domain/lifecycle.ts';

/** One process of a pipeline as its own ledger lines show it. */
export interface Life {
  readonly run: string;
  readonly attempt: number;
  /** The replica that started it. */
  readonly replica: string;
  /** Position of its first and of its latest line in the ledger. */
  readonly first: number;
  readonly latest: number;
  /** How it ended by itself; undefined while it lives, and for ever when it was killed. */
  readonly exitCode: number | undefined;
}

/** A replica that was killed, and the position in the ledger where that happened. */
export interface Kill {
  readonly replica: string;
  readonly at: number;
}

/** What is known about one ticket. */
export interface TicketEvidence {
  /** For people, such as `shop#3`. */
  readonly name: string;
  /** How often a person asked for a run; 0 = it must never run. */
  readonly asked: number;
  /** As the platform shows them now. */
  readonly labels: readonly string[];
  /** In the order of their first lines. */
  readonly lives: readonly Life[];
}

/** `open`: wanted, and not ended so that its label and its pipeline say the same. */
export type TicketEnd = 'done' | 'failed' | 'open' | 'unasked';

export interface Verdict {
  /** Tickets that somebody asked for. */
  readonly tickets: number;
  readonly done: number;
  readonly failed: number;
  /** Those that have not ended; lost, if nothing can come any more. One sentence each. */
  readonly open: readonly string[];
  /** Those that ran more than they should have. One sentence each. */
  readonly doubled: readonly string[];
}

export function judge(evidence: readonly TicketEvidence[], kills: readonly Kill[]): Verdict {
  const ends = evidence.map(endOf);
  const count = (end: TicketEnd): number => ends.filter((one) => one === end).length;
  return {
    tickets: evidence.length - count('unasked'),
    done: count('done'),
    failed: count('failed'),
    open: evidence.flatMap((ticket, index) => (ends[index] === 'open' ? [`${ticket.name} ${whyOpen(ticket)}`] : [])),
    doubled: evidence.flatMap((ticket) => {
      const why = whyDoubled(ticket, kills);
      return why === undefined ? [] : [`${ticket.name} ${why}`];
    }),
  };
}

/** The demo's last line; whatever is still open counts as lost. */
export function summaryLine({ tickets, done, failed, open, doubled }: Verdict): string {
  return `demo: ${tickets} tickets, ${done} done, ${failed} failed, ${open.length} lost, ${doubled.length} doubled`;
}

/** A ticket has ended when its only lifecycle label says what its last process did. */
export function endOf({ asked, labels, lives }: TicketEvidence): TicketEnd {
  if (asked === 0) return 'unasked';
  const exitCode = lives.at(-1)?.exitCode;
  if (exitCode === undefined) return 'open';
  const deserved = exitCode === 0 ? 'done' : 'failed';
  const shown = lifecyclesOf(labels);
  return shown.length === 1 && shown[0] === deserved ? deserved : 'open';
}

function whyOpen({ labels, lives }: TicketEvidence): string {
  const shown = lifecyclesOf(labels).join(' and ') || 'nothing';
  const last = lives.at(-1);
  if (last === undefined) return `never ran and is labelled ${shown}`;
  const end = last.exitCode === undefined ? 'never came to its end' : `ended with exit code ${last.exitCode}`;
  return `${end} and is labelled ${shown}`;
}

function whyDoubled({ asked, lives }: TicketEvidence, kills: readonly Kill[]): string | undefined {
  const runs = new Set(lives.map(({ run }) => run)).size;
  if (runs > asked) return `had ${runs} runs and was asked for ${times(asked)}`;
  for (const [index, life] of lives.entries()) {
    const earlier = lives.slice(0, index);
    if (earlier.some(({ latest }) => latest > life.first)) return 'had two processes at work at the same time';
    if (earlier.some((ended) => ranAgainForNoReason(ended, life, kills))) return 'ran again after it had ended';
  }
  return undefined;
}

/**
 * A worker that is killed between the end of its command and the record of it leaves no other way than to run the
 * command again. Without a kill in that stretch there is no excuse.
 */
function ranAgainForNoReason(ended: Life, again: Life, kills: readonly Kill[]): boolean {
  if (ended.exitCode === undefined || ended.run !== again.run) return false;
  return !kills.some(({ replica, at }) => replica === ended.replica && ended.first < at && at < again.first);
}

function times(count: number): string {
  return count === 1 ? 'once' : `${count} times`;
}
