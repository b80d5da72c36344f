/**
 * The verdict of a chaos run, from what outsiders saw: people, trackers and the commands themselves. Pure.
 *
 * - lost: a wish that no command's own end has answered, an end that the ticket does not show, or shows wrongly.
 * - overlapping: two commands of one ticket that could both execute at the same time.
 * - finished twice: a command that begins although the ticket shows its end and nobody has asked again; and one that
 *   ends although another has ended for the same wish, unless the first one's end could not be written down: its replica
 *   was killed or paused, Redis was hurt or out of its reach, or the machine itself stood still, after that end and before
 *   the second command began. It is then made once more, and counted as `repeated`.
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
  /** Wishes that had to be said again, since they fell into a moment in which they are overwritten. */
  readonly saidAgain: number;
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
/** Targets that are in everybody's way. */
const EVERYBODY: ReadonlySet<string> = new Set(['all', 'all replicas', 'Redis']);
/** A command ends a moment before its worker can know; a fault that is over may be felt for a moment longer. */
const MARGIN_MS = 2_000;

type Started = Extract<Entry, { kind: 'started' }>;
type Ended = Extract<Entry, { kind: 'ended' }>;

export function judge({ tickets, chronicle }: Evidence): Verdict {
  const faults = chronicle.faults();
  const entries = tickets.flatMap(({ page }) => chronicle.of(page));
  const histories = tickets.map((ticket) => judgeTicket(ticket, chronicle.of(ticket.page), faults));
  const count = (kind: Entry['kind']): number => entries.filter((entry) => entry.kind === kind).length;
  return {
    tickets: tickets.length,
    faults: faults.filter(isPlayed).length,
    hitWork: faults.filter((fault) => isPlayed(fault) && fault.hitWork).length,
    machine: faults.filter((fault) => !isPlayed(fault)).length,
    ended: count('ended'),
    gone: count('gone'),
    besideFrozen: count('beside-frozen'),
    repeated: histories.reduce((sum, { repeated }) => sum + repeated, 0),
    saidAgain: entries.filter((entry) => entry.kind === 'asked' && entry.again).length,
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
  let ended: Ended | undefined;
  let everDone = false;
  const lives = new Map<string, Started>();
  /** Whether it may be that nobody was left to write this end down, before that other entry. */
  const mayBeUnwritten = (end: Ended, until: Entry): boolean =>
    faults.some((fault) => keepsFromWriting(fault, end, lives.get(end.life)?.replica, until));

  for (const entry of entries) {
    switch (entry.kind) {
      case 'asked':
        shownAsEnded = false;
        ended = undefined;
        break;
      case 'labelled':
        shownAsEnded = (entry.lifecycle === 'done' || entry.lifecycle === 'failed') && ended !== undefined;
        if (entry.lifecycle === 'done' && !everDone) problem('lost', 'shown as done, and no command has ended well');
        if (entry.lifecycle === 'failed' && lives.size === 0)
          problem('lost', 'shown as failed, and no command had begun');
        if (entry.lifecycle === 'failed' && ended?.code === 0 && !mayBeUnwritten(ended, entry)) {
          problem('lost', `shown as failed although ${ended.life} has ended well`);
        }
        break;
      case 'started':
        lives.set(entry.life, entry);
        if (shownAsEnded) problem('finished-twice', `${entry.life} began although the ticket showed its end`);
        break;
      case 'ended':
        everDone ||= entry.code === 0;
        if (ended !== undefined) {
          if (mayBeUnwritten(ended, lives.get(entry.life) ?? entry)) repeated += 1;
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

function keepsFromWriting(
  { kind, target, fromSeq, untilMs = Number.POSITIVE_INFINITY }: FaultEntry,
  end: Ended,
  replica: string | undefined,
  until: Entry,
): boolean {
  const isThere = fromSeq < until.seq && untilMs > end.atMs - MARGIN_MS;
  const isItsOwn = EVERYBODY.has(target) || target.split(', ').some((name) => name === replica);
  return isThere && isItsOwn && KEEPS_FROM_WRITING.has(kind);
}

function lastNews(entries: readonly Entry[]): string {
  const words = entries.slice(-6).map((entry) => (entry.kind === 'labelled' ? entry.lifecycle : entry.kind));
  return words.join(', ');
}
