/**
 * One project of an emulated tracker in words that are the same for all four: what people do with its tickets, and what
 * the configuration has to say to watch it. For whoever does not care which tracker it is: the demo, `agent-smith
 * emulate`, the benchmark, the conformance suite. What only one platform has stays on its own emulator.
 */
import type { Faults } from './faults.ts';
import type { Ledger } from './ledger.ts';
import type { HookSettings, WebhookSender } from './webhook-sender.ts';

/** A ticket as people see it. A snapshot, not a live object. */
export interface TicketView {
  /** Its name in the ledger and for people: `org/repo#7`, `group/project#7`, `org#7`, `ABC-7`. */
  readonly ticket: string;
  /** By which an adapter reads it: issue number, iid, work item id, Jira's numeric id. */
  readonly id: string;
  /** Its page for people. */
  readonly url: string;
  readonly title: string;
  readonly body: string;
  readonly labels: readonly string[];
  readonly open: boolean;
  readonly comments: readonly { readonly login: string; readonly body: string }[];
}

export interface NewTicket {
  readonly title?: string;
  readonly body?: string;
  readonly labels?: readonly string[];
  /** Who opens it. */
  readonly by?: string;
}

export interface EmulatedProject {
  /** Slug of the platform. */
  readonly platform: string;
  /** The `tickets:` section that watches this project, without `auth`. */
  readonly tickets: Readonly<Record<string, unknown>>;
  /** The environment variables that hold a credential which may read and write here. */
  readonly environment: Readonly<Record<string, string>>;
  readonly ledger: Ledger;
  readonly faults: Faults;
  /** The road of its webhooks. */
  readonly webhooks: WebhookSender;

  /** Registers a webhook for everything that happens to tickets here, as people do in the settings. Its id. */
  addWebhook(hook: HookSettings): string;
  openTicket(ticket?: NewTicket): TicketView;
  addLabel(ticket: string, label: string, by?: string): void;
  removeLabel(ticket: string, label: string, by?: string): void;
  comment(ticket: string, body: string, by?: string): void;
  closeTicket(ticket: string, by?: string): void;
  reopenTicket(ticket: string, by?: string): void;
  /** Afterwards the platform does not know it any more. */
  deleteTicket(ticket: string): void;
  /** Throws for a ticket that is not there (any more). */
  ticket(ticket: string): TicketView;
  /** All that are there, oldest first. */
  all(): TicketView[];
}

/** A server of one platform on loopback. What it holds survives `close()`. */
export interface EmulatedServer {
  /** Where a client library finds its API. Throws before the first start. */
  readonly url: string;
  readonly ledger: Ledger;
  readonly faults: Faults;
  start(): Promise<void>;
  /** Closes every connection, hanging ones too; resolves when all exchanges are in the ledger. */
  close(): Promise<void>;
}
