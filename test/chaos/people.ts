/**
 * The people of a chaos run: they open tickets at their pace, put labels of their own on them and take them off, also in
 * the very moment in which we move ours, meddle with our lifecycle labels, ask for a further run, insist when nobody has
 * answered, and close what has ended long enough. What they want is written down here; the verdict compares.
 */
import { isOurs, type Lifecycle, lifecycleLabel, lifecyclesOf } from '../../src/domain/lifecycle.ts';
import type { Site } from '../../src/emulators/sites.ts';
import { every } from '../../src/foundation/loop.ts';
import type { Chance } from './chance.ts';
import type { Chronicle, Entry } from './chronicle.ts';
import { type ChaosSettings, timingOf } from './settings.ts';
import type { Work } from './witness.ts';

/** A ticket as its people know it. */
export interface PeoplesTicket {
  readonly site: Site;
  /** Its name in the tracker's ledger. */
  readonly name: string;
  readonly page: string;
  /** The labels that people want on it. */
  readonly wanted: ReadonlySet<string>;
  /** How often they put one on or took one off. */
  readonly edits: number;
  /** Exit code of the run that was asked for last. */
  readonly code: number;
}

export interface People {
  tickets(): readonly PeoplesTicket[];
  workOf(page: string): Work;
  pageOf(site: Site, name: string): string | undefined;
  /** Opens tickets until all are there, and looks after them until the signal aborts. Resolves when all are opened. */
  begin(sites: readonly Site[], chronicle: Chronicle, signal: AbortSignal): Promise<void>;
  /** Those that have not ended as they should, have a wish that nobody has answered, or one that is still to come. */
  open(): readonly PeoplesTicket[];
}

interface Ticket extends PeoplesTicket {
  readonly wanted: Set<string>;
  edits: number;
  code: number;
  readonly work: Work;
  asksLeft: number;
  nudges: number;
  /** Since when it has looked ended; monotonic ms. */
  endedAtMs: number | undefined;
  /** Since when it shows an end although a wish is not answered; monotonic ms. */
  ignoredSinceMs: number | undefined;
  closed: boolean;
}

const LOOK_AROUND_MS = 25;
const OWN_LABELS = ['bug', 'p1', 'needs info', 'frontend', 'customer: Ärger & Söhne'] as const;
/** So many seconds' worth of tickets may be on their way before people wait for an answer. */
const PATIENCE_S = 15;
/** Nobody has answered a wish for so long: it is said again. */
const INSIST_MS = 5_000;

export function createPeople(settings: ChaosSettings, chance: Chance): People {
  const timing = timingOf(settings);
  const byPage = new Map<string, Ticket>();
  const pages = new Map<string, string>();
  let chronicle: Chronicle | undefined;
  /** A dead attempt is back by then, so a second run of something that has ended would have shown itself. */
  const closeAfterMs = 2 * (timing.heartbeatTtlMs + 2 * timing.staleScanMs);

  const entriesOf = (page: string): readonly Entry[] => chronicle?.of(page) ?? [];
  const keyOf = (site: Site, name: string): string => `${site.platform} ${name.toLowerCase()}`;
  const labelsOf = ({ site, name }: Ticket): readonly string[] => site.project.ticket(name).labels;

  const work = (): Work => {
    const isLong = chance.happens(settings.long);
    const shortMs = chance.happens(0.8) ? chance.between(5, 150) : chance.between(150, 800);
    const ms = isLong ? chance.between(150, settings.longest * timing.heartbeatTtlMs) : shortMs;
    return { ms: Math.round(ms), code: chance.happens(0.12) ? 1 : 0 };
  };

  const openOne = (site: Site): void => {
    const wanted = new Set(['agent-smith', ...(chance.happens(0.3) ? [chance.pick(OWN_LABELS)] : [])]);
    const number = byPage.size + 1;
    const opened = site.project.openTicket({ title: `Chaos ${number}`, labels: [...wanted], by: 'mia' });
    const todo = work();
    byPage.set(opened.url, {
      site,
      name: opened.ticket,
      page: opened.url,
      wanted,
      edits: 0,
      code: todo.code,
      work: todo,
      asksLeft: chance.happens(0.12) ? 1 : 0,
      nudges: chance.happens(0.25) ? 1 : 0,
      endedAtMs: undefined,
      ignoredSinceMs: undefined,
      closed: false,
    });
    pages.set(keyOf(site, opened.ticket), opened.url);
    chronicle?.note(opened.url, { kind: 'asked', must: true });
  };

  const editOwn = (ticket: Ticket): void => {
    const label = chance.pick(OWN_LABELS);
    ticket.edits += 1;
    if (ticket.wanted.delete(label)) ticket.site.project.removeLabel(ticket.name, label, 'noah');
    else {
      ticket.wanted.add(label);
      ticket.site.project.addLabel(ticket.name, label, 'noah');
    }
  };

  /** Asks by `pending`, or by taking our label away. */
  const ask = (ticket: Ticket, must: boolean, again: { readonly again?: true } = {}): void => {
    chronicle?.note(ticket.page, { kind: 'asked', must, ...again });
    const shown = lifecyclesOf(labelsOf(ticket)).filter((lifecycle) => lifecycle !== 'pending');
    if (chance.happens(0.5) || shown.length === 0) {
      ticket.site.project.addLabel(ticket.name, lifecycleLabel('pending'), 'lena');
    } else {
      for (const lifecycle of shown) ticket.site.project.removeLabel(ticket.name, lifecycleLabel(lifecycle), 'lena');
    }
  };

  const look = (ticket: Ticket, nowMs: number): void => {
    const ended = hasEnded(ticket, labelsOf(ticket), entriesOf(ticket.page));
    ticket.endedAtMs = ended ? (ticket.endedAtMs ?? nowMs) : undefined;
    if (ticket.endedAtMs === undefined) {
      insist(ticket, nowMs);
      if (ticket.nudges > 0 && chance.happens(impatience(labelsOf(ticket)))) {
        ticket.nudges -= 1;
        ask(ticket, false);
      }
      return;
    }
    const endedForMs = nowMs - ticket.endedAtMs;
    if (ticket.asksLeft > 0) {
      // A moment after the end: what is asked for before the end was read back may be overwritten.
      if (endedForMs < timing.secondReadMs) return;
      ticket.asksLeft -= 1;
      ticket.code = 0;
      ask(ticket, true);
    } else if (endedForMs > closeAfterMs) {
      ticket.closed = true;
      ticket.site.project.closeTicket(ticket.name, 'mia');
    }
  };

  /**
   * A wish may fall into the moment in which our own label is not confirmed yet, or Redis has lost its data: then the old
   * end is shown again. People who see that for a while say it again, and how often is counted.
   */
  const insist = (ticket: Ticket, nowMs: number): void => {
    const shown = lifecyclesOf(labelsOf(ticket));
    const ignored = shown.includes('done') || shown.includes('failed');
    ticket.ignoredSinceMs = ignored ? (ticket.ignoredSinceMs ?? nowMs) : undefined;
    if (ticket.ignoredSinceMs === undefined || nowMs - ticket.ignoredSinceMs < INSIST_MS) return;
    ticket.ignoredSinceMs = undefined;
    ask(ticket, true, { again: true });
  };

  const open = (): Ticket[] =>
    [...byPage.values()].filter(
      (ticket) =>
        !ticket.closed && (ticket.asksLeft > 0 || !hasEnded(ticket, labelsOf(ticket), entriesOf(ticket.page))),
    );

  return {
    tickets: () => [...byPage.values()],
    workOf(page) {
      const ticket = byPage.get(page);
      return { ms: ticket?.work.ms ?? 0, code: ticket?.code ?? 99 };
    },
    pageOf: (site, name) => pages.get(keyOf(site, name)),
    open,
    begin(sites, book, signal) {
      chronicle = book;
      const allOpened = Promise.withResolvers<void>();
      for (const site of sites) {
        // Right behind a move of ours: the worst moment for somebody else's edit.
        const stop = site.project.ledger.subscribe((entry) => {
          if (entry.kind !== 'label' || entry.by.kind !== 'token' || !chance.happens(0.1)) return;
          const ticket = byPage.get(pages.get(keyOf(site, entry.ticket)) ?? '');
          if (ticket !== undefined && !ticket.closed) setImmediate(editOwn, ticket);
        });
        signal.addEventListener('abort', stop, { once: true });
      }
      let dueAtMs = performance.now();
      void every({ intervalMs: LOOK_AROUND_MS, signal, onError: allOpened.reject }, async () => {
        const nowMs = performance.now();
        const onTheirWay = [...byPage.values()].filter(({ closed }) => !closed);
        for (const ticket of onTheirWay) look(ticket, nowMs);
        const live = onTheirWay.filter(({ endedAtMs }) => endedAtMs === undefined);
        const isPatient = live.length < settings.pace * PATIENCE_S;
        if (!isPatient) dueAtMs = nowMs;
        const due = isPatient ? Math.ceil(((nowMs - dueAtMs) * settings.pace) / 1_000) : 0;
        for (let left = Math.min(due, settings.tickets - byPage.size); left > 0; left -= 1) {
          openOne(chance.pick(sites));
          dueAtMs += 1_000 / settings.pace;
        }
        if (live.length > 0 && chance.happens(0.2)) editOwn(chance.pick(live));
        if (byPage.size === settings.tickets) allOpened.resolve();
      });
      return allOpened.promise;
    },
  };
}

/** Whether the last wish that must be answered was answered by a command's own end, and the ticket shows that and nothing else. */
export function hasEnded(
  { code }: Pick<PeoplesTicket, 'code'>,
  labels: readonly string[],
  entries: readonly Entry[],
): boolean {
  const expected: Lifecycle = code === 0 ? 'done' : 'failed';
  const shown = lifecyclesOf(labels);
  return shown.length === 1 && shown[0] === expected && endedSinceAsked(entries);
}

function endedSinceAsked(entries: readonly Entry[]): boolean {
  const asked = entries.findLastIndex((entry) => entry.kind === 'asked' && entry.must);
  return entries.findLastIndex(({ kind }) => kind === 'ended') > asked;
}

/** How likely somebody asks once more at a look: above all while a command is at work, where two would meet. */
function impatience(labels: readonly string[]): number {
  const shown = lifecyclesOf(labels);
  if (shown.includes('in-progress')) return 0.15;
  return shown.includes('enqueued') ? 0.01 : 0;
}

/** The labels of a ticket that belong to its people. */
export function peoplesLabels(labels: readonly string[]): ReadonlySet<string> {
  return new Set(labels.filter((label) => !isOurs(label)));
}
