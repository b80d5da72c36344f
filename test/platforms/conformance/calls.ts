/** Asking an adapter, in the words of the tests. */
import { inspect } from 'node:util';
import { expect } from 'vitest';
import { lifecycleOf } from '../../../src/domain/lifecycle.ts';
import type { Ticket } from '../../../src/domain/ticket.ts';
import type { EmulatedProject, EmulatedServer } from '../../../src/emulators/emulated-project.ts';
import type { RequestEntry } from '../../../src/emulators/ledger.ts';
import { type Call, PlatformError, type TicketPage, type TicketPlatform } from '../../../src/platforms/contract.ts';

export function callOf(more: Partial<Call> = {}): Call {
  return { purpose: 'discovery', deadlineMs: 5_000, signal: new AbortController().signal, ...more };
}

/** Every page of a listing. */
export async function allPages(platform: TicketPlatform, labels: readonly string[], state: 'open' | 'all' = 'open') {
  const pages: TicketPage[] = [];
  let cursor: string | undefined;
  do {
    const page = await platform.listTickets({ labels, state }, cursor, callOf());
    pages.push(page);
    cursor = page.next;
  } while (cursor !== undefined);
  return { pages, tickets: pages.flatMap((page) => page.tickets) };
}

/** The ids that a listing gives, in its order; a ticket with two of the labels may be listed twice. */
export async function listedIds(
  platform: TicketPlatform,
  labels: readonly string[],
  state: 'open' | 'all' = 'open',
): Promise<string[]> {
  const { tickets } = await allPages(platform, labels, state);
  return [...new Set(tickets.map(({ id }) => id))];
}

/** The platform error of a call that fails, with the secret nowhere in it. */
export async function failure(promise: Promise<unknown>, secret: string): Promise<PlatformError> {
  const error = await promise.then(
    (value) => expect.fail(`was expected to fail, and gave ${JSON.stringify(value)}`),
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof PlatformError)) throw error;
  expect(revealed(error, secret)).toEqual([]);
  return error;
}

/** The forms of a secret that something shows: as it is, in a URL, or in the base64 of Basic authentication. */
export function revealed(shown: unknown, secret: string): string[] {
  const text = inspect(shown, { depth: 12, showHidden: true, maxStringLength: null, maxArrayLength: null });
  // Three alignments; the characters at either end depend on what stands beside the secret.
  const encoded = [0, 1, 2].map((shift) =>
    Buffer.from(`${'.'.repeat(shift)}${secret}`)
      .toString('base64')
      .slice(4, -4),
  );
  return [secret, encodeURIComponent(secret), ...encoded].filter((form) => text.includes(form));
}

let labels = 0;

/** A label that no other test uses. */
export function freshLabel(): string {
  labels += 1;
  return `fix-${labels}`;
}

export function read(platform: TicketPlatform, id: string): Promise<Ticket> {
  return platform.readTicket(id, callOf({ purpose: 'claim' }));
}

/** The labels of a ticket as people see them, sorted, because no platform promises their order. */
export function labelsOf(project: EmulatedProject, ticket: string): string[] {
  return project.ticket(ticket).labels.toSorted();
}

/** Lifecycle labels among the labels, each one counted. */
export function lifecycleLabelsIn(shown: readonly string[]): string[] {
  return shown.filter((label) => lifecycleOf(label) !== undefined);
}

/** What was asked of the server while `work` ran. */
export async function requestsDuring(server: EmulatedServer, work: () => Promise<unknown>): Promise<RequestEntry[]> {
  const seen: RequestEntry[] = [];
  const stop = server.ledger.subscribe((entry) => {
    if (entry.kind === 'request') seen.push(entry);
  });
  try {
    await work();
  } finally {
    stop();
  }
  return seen;
}

export const isRead = ({ method }: Pick<RequestEntry, 'method'>): boolean =>
  ['GET', 'HEAD', 'OPTIONS'].includes(method);
