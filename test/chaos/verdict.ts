/**
 * The verdict of a chaos run, from what outsiders saw: people, trackers and the commands themselves. Pure.
 *
 * - lost: a wish that no command's own end has answered, or an end that the ticket does not show.
 * - overlapping: two commands of one ticket that could both execute at the same time.
 * - finished twice: a command that begins although the ticket shows its end and nobody has asked again; and one that
 *   ends although another has ended for the same wish, unless a process was killed or paused, or Redis was hurt, or the
 *   machine itself stood still, between the two: an end that nobody was left to write down is made once more, and counted as `repeated`.
 * - labels: every label that people put on is there, every one that they took off is not.
 */
import { lifecyclesOf } from '../../src/domain/lifecycle.ts';
import type { Chronicle, Entry, FaultEntry } from './chronicle.ts';
import { MACHINE } from './machine.ts';
import { hasEnded, type PeoplesTicket, peoplesLabels } from './people.ts';

export interface Problem {
  readonly kind: 'lost' | 'overlapping' | 'finished-twice' | 'label';
  readonly page: string;
  /** In words. */
  readonly text: string;
}

export interface Verdict {
  readonly tickets: number;
  readonly faults: number;
  /** Of them, those that hit work under way. */
  readonly hitWork: number;
  /** How often the machine itself stood still for too long. */
  readonly machine: number;
  /** Commands that ended by themselves: the lifecycles that were walked through. */
  readonly ended: number;
  /** Commands that were gone without an end of their own. */
  readonly gone: number;
  /** Ends that nobody was left to write down. */
  readonly repeated: number;
  /** Commands that began beside one that was frozen and never executed again. */
  readonly besideFrozen: number;
  /** Edits of people's labels, all of them kept unless there is a problem. */
  readonly labelEdits: number;
  readonly problems: readonly Problem[];
}

export interface Evidence {
  readonly tickets: readonly PeoplesTicket[];
  readonly chronicle: Pick<Chronicle, 'of' | 'faults'>;
}

/** Kinds of faults that can keep an end from being written down. */
const KEEPS_FROM_WRITING: ReadonlySet<string> = new Set(['kill', 'pause', 'redis', MACHINE]);
/** A command ends a moment before its worker can know; a fault that is over may be felt for a moment longer. */
const MARGIN_MS = 2_000;

export function judge({ tickets, chronicle }: Evidence): Verdict {
  const faults = chronicle.faults();
  const histories = tickets.map((ticket) => judgeTicket(ticket, chronicle.of(ticket.page), faults));
  const count = (kind: Entry['kind']): number =>
    tickets.reduce((sum, { page }) => sum + chronicle.of(page).filter((entry) => entry.kind === kind).length, 0);
  return {
    tickets: tickets.length,
    faults: faults.filter(isPlayed).length,
    hitWork: faults.filter((fault) => isPlayed(fault) && fault.hitWork).length,
    machine: faults.filter((fault) => !isPlayed(fault)).length,
    ended: count('ended'),
    gone: count('gone'),
    besideFrozen: count('beside-frozen'),
    repeated: histories.reduce((sum, { repeated }) => sum + repeated, 0),
    labelEdits: tickets.reduce((sum, { edits }) => sum + edits, 0),
    problems: histories.flatMap(({ problems }) => problems),
  };
}

/** Whether it was one of ours, and not the machine's own. */
export function isPlayed({ kind }: Pick<FaultEntry, 'kind'>): boolean {
  return kind !== MACHINE;
}

function judgeTicket(
  ticket: PeoplesTicket,
  entries: readonly Entry[],
  faults: readonly FaultEntry[],
): { readonly repeated: number; readonly problems: readonly Problem[] } {
  const { page } = ticket;
  const problems: Problem[] = [];
  const problem = (kind: Problem['kind'], text: string): void => void problems.push({ kind, page, text });
  let repeated = 0;
  /** Since somebody asked last. */
  let shownAsEnded = false;
  let ended: Entry | undefined;
  let everDone = false;

  for (const entry of entries) {
    switch (entry.kind) {
      case 'asked':
        shownAsEnded = false;
        ended = undefined;
        break;
      case 'labelled':
        shownAsEnded = (entry.lifecycle === 'done' || entry.lifecycle === 'failed') && ended !== undefined;
        if (entry.lifecycle === 'done' && !everDone) problem('lost', 'shown as done, and no command has ended well');
        break;
      case 'started':
        if (shownAsEnded) problem('finished-twice', `${entry.life} began although the ticket showed its end`);
        break;
      case 'ended':
        everDone ||= entry.code === 0;
        if (ended !== undefined) {
          if (isExplained(ended, entry, faults)) repeated += 1;
          else problem('finished-twice', `${entry.life} ended although another one had, and nothing was in its way`);
        }
        ended = entry;
        break;
      case 'overlap':
        problem('overlapping', `${entry.life} and ${entry.other} were alive at the same time`);
        break;
      case 'gone':
      case 'beside-frozen':
        break;
    }
  }

  const { labels } = ticket.site.project.ticket(ticket.name);
  if (!hasEnded(ticket, labels, entries)) {
    problem('lost', `shows ${lifecyclesOf(labels).join(', ') || 'nothing'}; its last news: ${lastNews(entries)}`);
  }
  const found = peoplesLabels(labels);
  for (const label of ticket.wanted) if (!found.has(label)) problem('label', `lost the label ${label}`);
  for (const label of found) if (!ticket.wanted.has(label)) problem('label', `has the label ${label} again`);
  return { repeated, problems };
}

function isExplained(first: Entry, second: Entry, faults: readonly FaultEntry[]): boolean {
  return faults.some(
    ({ kind, fromSeq, untilMs = Number.POSITIVE_INFINITY }) =>
      KEEPS_FROM_WRITING.has(kind) && fromSeq < second.seq && untilMs > first.atMs - MARGIN_MS,
  );
}

function lastNews(entries: readonly Entry[]): string {
  const words = entries.slice(-6).map((entry) => (entry.kind === 'labelled' ? entry.lifecycle : entry.kind));
  return words.join(', ');
}
