/**
 * The demo's tickets: what people did with them, and how they stand now by the emulators' labels and the pipelines'
 * ledger.
 */
import { isOurs, lifecycleLabel, readLifecycle } from '../../domain/lifecycle.ts';
import type { NewTicket } from '../../emulators/emulated-project.ts';
import type { Site } from '../../emulators/sites.ts';
import type { Arrival, BoardTicket, Look } from './board-ticket.ts';
import type { RunnerLedger } from './ledger.ts';
import type { Claim } from './replica-log.ts';
import { type Bystander, FAILS_MARK, type LabelEdits, type Sample } from './tickets.ts';
import { endOf, judge, type TicketEvidence, type Verdict } from './verdict.ts';

export interface Board {
  /** A person opens a ticket that starts a pipeline. */
  open(site: Site, sample: Sample, by: string): BoardTicket;
  openBystander(site: Site, bystander: Bystander): void;
  askAgain(page: string, by: string): void;
  addLabel(page: string, label: string, by: string): void;
  removeLabel(page: string, label: string, by: string): void;
  close(page: string, by: string): void;
  /** A replica says that it has claimed a ticket; undefined for one that is not on the board. */
  noteClaim(claim: Claim): BoardTicket | undefined;
  /** In the order of opening, bystanders last. */
  tickets(): BoardTicket[];
  verdict(): Verdict;
  /** By its page; undefined when it is not on the board. */
  find(page: string): BoardTicket | undefined;
  /** By the name that the emulator's ledger has for it. */
  findIn(site: Site, ticket: string): BoardTicket | undefined;
}

interface Entry {
  readonly site: Site;
  readonly ticket: string;
  /** By which an adapter reads it. */
  readonly id: string;
  readonly page: string;
  readonly title: string;
  readonly pipeline: string;
  readonly why: string;
  readonly edits: LabelEdits | undefined;
  asked: number;
  askedAtMs: number;
  arrival: Arrival | undefined;
  closed: boolean;
  /** As people left them. */
  labels: readonly string[];
  look: Look;
  sinceMs: number;
}

export function createBoard(ledger: RunnerLedger): Board {
  const entries = new Map<string, Entry>();

  const add = (site: Site, opened: NewTicket & Pick<Sample, 'title' | 'labels'>, facts: Partial<Entry>): Entry => {
    const { title, labels } = opened;
    const askedAtMs = Date.now();
    const { ticket, id, url } = site.project.openTicket(opened);
    const entry: Entry = {
      site,
      ticket,
      id,
      page: url,
      title,
      pipeline: '',
      why: '',
      edits: undefined,
      asked: 0,
      askedAtMs,
      arrival: undefined,
      closed: false,
      labels,
      look: 'new',
      sinceMs: askedAtMs,
      ...facts,
    };
    entries.set(url, entry);
    return entry;
  };
  const entryOf = (page: string): Entry => {
    const entry = entries.get(page);
    if (entry === undefined) throw new Error(`no ticket ${page} on the board`);
    return entry;
  };
  const evidenceOf = (entry: Entry): TicketEvidence => ({
    name: nameOf(entry),
    asked: entry.asked,
    pipeline: entry.pipeline,
    // What people say with our labels they say to us; on a ticket that nobody asked for they must stay as well.
    peoplesLabels: entry.asked === 0 ? entry.labels : entry.labels.filter((label) => !isOurs(label)),
    labels: entry.site.project.ticket(entry.ticket).labels,
    lives: ledger.livesOf(entry.page),
  });

  const look = (entry: Entry): BoardTicket => {
    const evidence = evidenceOf(entry);
    const life = ledger.livesOf(entry.page).at(-1);
    const killed =
      life !== undefined && ledger.kills().some(({ replica, at }) => replica === life.replica && at > life.first);
    const now = lookOf(entry, evidence.labels, killed && life.exitCode === undefined);
    if (now !== entry.look) {
      entry.look = now;
      entry.sinceMs = Date.now();
    }
    const { site, ticket: _ticket, id: _id, labels: _labels, askedAtMs: _askedAtMs, ...facts } = entry;
    return {
      ...facts,
      platform: site.platform,
      shortName: shortNameOf(entry),
      name: evidence.name,
      end: endOf(evidence),
      life,
    };
  };

  return {
    open(site, sample, by) {
      const { title, labels, pipeline, edits, fails } = sample;
      const body = fails === true ? FAILS_MARK : 'As the title says.';
      return look(add(site, { title, body, labels, by }, { pipeline, edits, asked: 1 }));
    },
    openBystander(site, { title, labels, closed = false, why }) {
      const { ticket } = add(site, { title, labels }, { why });
      if (closed) site.project.closeTicket(ticket);
    },
    askAgain(page, by) {
      const entry = entryOf(page);
      const { site, ticket } = entry;
      entry.asked += 1;
      entry.askedAtMs = Date.now();
      entry.arrival = undefined;
      site.project.addLabel(ticket, lifecycleLabel('pending'), by);
    },
    addLabel(page, label, by) {
      const entry = entryOf(page);
      entry.labels = [...entry.labels, label];
      entry.site.project.addLabel(entry.ticket, label, by);
    },
    removeLabel(page, label, by) {
      const entry = entryOf(page);
      entry.labels = entry.labels.filter((one) => one !== label);
      entry.site.project.removeLabel(entry.ticket, label, by);
    },
    close(page, by) {
      const entry = entryOf(page);
      entry.closed = true;
      entry.site.project.closeTicket(entry.ticket, by);
    },
    noteClaim({ project, ticketId, trigger, atMs }) {
      const entry = [...entries.values()].find(({ site, id }) => site.platform === project && id === ticketId);
      if (entry === undefined) return undefined;
      entry.arrival = { by: trigger, afterMs: Math.max(0, atMs - entry.askedAtMs) };
      return look(entry);
    },
    tickets: () => [...entries.values()].sort((a, b) => Number(a.asked === 0) - Number(b.asked === 0)).map(look),
    verdict: () => judge([...entries.values()].map(evidenceOf), ledger.kills()),
    find(page) {
      const entry = entries.get(page);
      return entry && look(entry);
    },
    findIn(site, ticket) {
      const entry = [...entries.values()].find((one) => one.site === site && one.ticket === ticket);
      return entry && look(entry);
    },
  };
}

function nameOf(entry: Entry): string {
  return `${entry.site.name} ${shortNameOf(entry)}`;
}

/** `acme/shop#3` is `shop#3` here: everything belongs to acme. */
function shortNameOf({ ticket }: Entry): string {
  return ticket.slice(ticket.lastIndexOf('/') + 1);
}

function lookOf(entry: Entry, labels: readonly string[], interrupted: boolean): Look {
  if (entry.asked === 0) return 'skipped';
  const lifecycle = labels.includes(lifecycleLabel('pending')) ? 'pending' : readLifecycle(labels);
  return lifecycle === 'in-progress' && interrupted ? 'interrupted' : (lifecycle ?? 'new');
}
