/**
 * What the demo claims at its end: nothing lost, nothing doubled. Pure, and fed from two witnesses only: the labels that
 * the emulated platforms hold, and the ledger that the pipelines themselves wrote. No counter of ours is asked.
 *
 * The ledger is one file that every pipeline appends to, so its lines have one order. "At the same time" and "again"
 * are read from that order and never from a clock.
 */
import { hasLabel, isOurs, lifecyclesOf } from '../../domain/lifecycle.ts';

/** One process of a pipeline as its own ledger lines show it. */
export interface Life {
  readonly run: string;
  readonly attempt: number;
  readonly pipeline: string;
  /** The replica that started it; the service is killed with none of them, so no kill excuses a second one of its own. */
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
  /** For people, such as `GitHub shop#3`. */
  readonly name: string;
  /** How often a person asked for a run; 0 = it must never run. */
  readonly asked: number;
  /** The one that its labels name. */
  readonly pipeline: string;
  /** Those that must be there because people left them so; of ours none when it was asked for, otherwise all. */
  readonly peoplesLabels: readonly string[];
  /** As the platform shows them now. */
  readonly labels: readonly string[];
  /** In the order of their first lines. */
  readonly lives: readonly Life[];
}

/** `open`: wanted, and not ended so that its labels and its pipeline say the same. */
export type TicketEnd = 'done' | 'failed' | 'open' | 'unasked';

export interface Verdict {
  /** Tickets that somebody asked for. */
  readonly tickets: number;
  readonly done: number;
  readonly failed: number;
  /** Those that have not ended; lost, if nothing can come any more. One sentence each. */
  readonly open: readonly string[];
  /** Those that ran more than they should have, or were touched although nobody had asked. One sentence each. */
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

/** A ticket has ended when its only lifecycle label says what its last process did, and people's labels are as they were. */
export function endOf(evidence: TicketEvidence): TicketEnd {
  const { asked, pipeline, labels, lives } = evidence;
  if (asked === 0) return 'unasked';
  const last = lives.at(-1);
  const exitCode = last?.exitCode;
  if (exitCode === undefined || last?.pipeline !== pipeline || whatChanged(evidence) !== undefined) return 'open';
  const deserved = exitCode === 0 ? 'done' : 'failed';
  const shown = lifecyclesOf(labels);
  return shown.length === 1 && shown[0] === deserved ? deserved : 'open';
}

function whyOpen(evidence: TicketEvidence): string {
  const { pipeline, labels, lives } = evidence;
  const shown = lifecyclesOf(labels).join(' and ') || 'nothing';
  const last = lives.at(-1);
  if (last === undefined) return `never ran and is labelled ${shown}`;
  if (last.pipeline !== pipeline) return `ran ${last.pipeline}, and its labels name ${pipeline}`;
  const changed = whatChanged(evidence);
  if (changed !== undefined) return changed;
  const end = last.exitCode === undefined ? 'never came to its end' : `ended with exit code ${last.exitCode}`;
  return `${end} and is labelled ${shown}`;
}

/** What became of labels that are none of our business; undefined when they are as people left them. */
function whatChanged({ asked, peoplesLabels, labels }: TicketEvidence): string | undefined {
  const gone = peoplesLabels.filter((label) => !hasLabel(labels, label));
  const come = labels.filter((label) => !hasLabel(peoplesLabels, label) && (asked === 0 || !isOurs(label)));
  const parts = [
    ...gone.map((label) => `lost its label ${label}`),
    ...come.map((label) => `was given the label ${label}`),
  ];
  return parts.length === 0 ? undefined : parts.join(' and ');
}

function whyDoubled(evidence: TicketEvidence, kills: readonly Kill[]): string | undefined {
  const { asked, lives } = evidence;
  const runs = new Set(lives.map(({ run }) => run)).size;
  if (runs > asked) return `had ${runs} runs and was asked for ${times(asked)}`;
  const changed = asked === 0 ? whatChanged(evidence) : undefined;
  if (changed !== undefined) return `${changed}, and nobody had asked for anything`;
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
