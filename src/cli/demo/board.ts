/**
 * The demo's tickets: what people did with them, and how they stand now by the emulator's labels and the pipelines'
 * ledger.
 */
import { type Lifecycle, lifecycleLabel, readLifecycle } from '../../domain/lifecycle.ts';
import type { GitHubEmulator } from '../../emulators/github/github-emulator.ts';
import type { RunnerLedger, WatchedLife } from './ledger.ts';
import { BYSTANDERS, type Bystander, FAILS_MARK, OWNER, type Sample } from './tickets.ts';
import { endOf, judge, type TicketEnd, type Verdict } from './verdict.ts';

/** How a ticket looks to a viewer: its lifecycle, or why it has none. `orphaned`: its worker was killed under it. */
export type Look = 'new' | Lifecycle | 'orphaned' | 'ignored';

/** A ticket as it stands now. */
export interface TicketView {
  /** As in the emulator's ledger, `acme/shop#3`. */
  readonly ticket: string;
  /** For people, `shop#3`. */
  readonly name: string;
  /** Untrusted text. */
  readonly title: string;
  readonly pipeline: string;
  readonly look: Look;
  /** Why it is left alone, for `ignored`. */
  readonly why: string;
  readonly end: TicketEnd;
  readonly life: WatchedLife | undefined;
  /** Since it looks like this; wall-clock ms. */
  readonly sinceMs: number;
  readonly asked: number;
  /** The people have closed it: it is off the board. */
  readonly closed: boolean;
}

export interface Board {
  /** A person opens a ticket that starts a pipeline. */
  open(sample: Sample, by: string): TicketView;
  openBystander(bystander: Bystander): void;
  askAgain(ticket: string, by: string): void;
  close(ticket: string, by: string): void;
  /** In the order of opening, bystanders last. */
  views(): TicketView[];
  verdict(): Verdict;
  /** Name for people of a ticket of the emulator (`acme/shop#3`) or of its page. */
  readonly nameOf: (ticketOrPage: string) => string;
}

interface Entry {
  readonly ticket: string;
  readonly page: string;
  readonly title: string;
  readonly pipeline: string;
  readonly why: string;
  asked: number;
  closed: boolean;
  look: Look;
  sinceMs: number;
}

export function createBoard(github: GitHubEmulator, ledger: RunnerLedger): Board {
  const entries: Entry[] = [];
  const names = new Map<string, string>();

  const add = (fullName: string, issue: Parameters<GitHubEmulator['openIssue']>[1], entry: Partial<Entry>): Entry => {
    const { ticket, url, title } = github.openIssue(fullName, issue);
    const added: Entry = {
      ticket,
      page: url,
      title,
      pipeline: '',
      why: '',
      asked: 0,
      closed: false,
      look: 'new',
      sinceMs: Date.now(),
      ...entry,
    };
    entries.push(added);
    const name = ticket.slice(ticket.indexOf('/') + 1);
    names.set(ticket, name).set(url, name);
    return added;
  };
  const nameOf = (ticketOrPage: string): string => names.get(ticketOrPage) ?? ticketOrPage;
  const entryOf = (ticket: string): Entry => {
    const entry = entries.find((one) => one.ticket === ticket);
    if (entry === undefined) throw new Error(`no ticket ${ticket} on the board`);
    return entry;
  };
  const evidenceOf = (entry: Entry) => ({
    name: nameOf(entry.ticket),
    asked: entry.asked,
    labels: github.issue(entry.ticket).labels,
    lives: ledger.livesOf(entry.page),
  });

  const view = (entry: Entry): TicketView => {
    const evidence = evidenceOf(entry);
    const life = evidence.lives.at(-1);
    const killed =
      life !== undefined && ledger.kills().some(({ replica, at }) => replica === life.replica && at > life.first);
    const look = lookOf(entry, evidence.labels, killed && life.exitCode === undefined);
    if (look !== entry.look) {
      entry.look = look;
      entry.sinceMs = Date.now();
    }
    const { ticket, title, pipeline, why, asked, closed, sinceMs } = entry;
    return {
      ticket,
      name: evidence.name,
      title,
      pipeline,
      look,
      why,
      end: endOf(evidence),
      life,
      sinceMs,
      asked,
      closed,
    };
  };

  return {
    open({ repository, title, labels, pipeline, fails }, by) {
      const body = fails === true ? FAILS_MARK : 'As the title says.';
      return view(add(`${OWNER}/${repository}`, { title, body, labels, by }, { pipeline, asked: 1 }));
    },
    openBystander({ repository, title, labels, isPullRequest = false, closed = false, why }) {
      const { ticket } = add(`${OWNER}/${repository}`, { title, labels, isPullRequest }, { why });
      if (closed) github.closeIssue(ticket);
    },
    askAgain(ticket, by) {
      entryOf(ticket).asked += 1;
      github.addLabel(ticket, lifecycleLabel('pending'), by);
    },
    close(ticket, by) {
      entryOf(ticket).closed = true;
      github.closeIssue(ticket, by);
    },
    views: () => [...entries].sort((a, b) => Number(a.asked === 0) - Number(b.asked === 0)).map(view),
    verdict: () => judge(entries.map(evidenceOf), ledger.kills()),
    nameOf,
  };
}

/** All samples that must be left alone. */
export function openBystanders(board: Board): void {
  for (const bystander of BYSTANDERS) board.openBystander(bystander);
}

function lookOf(entry: Entry, labels: readonly string[], orphaned: boolean): Look {
  if (entry.asked === 0) return 'ignored';
  const lifecycle = labels.includes(lifecycleLabel('pending')) ? 'pending' : readLifecycle(labels);
  return lifecycle === 'in-progress' && orphaned ? 'orphaned' : (lifecycle ?? 'new');
}
