/** What the control server offers for one platform: see control-server.ts for the list. */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { controlWebhooks } from './control-webhooks.ts';
import type { EmulatedProject, TicketView } from './emulated-project.ts';
import { faultRequest } from './fault-request.ts';
import type { InjectedFault } from './faults.ts';
import type { LedgerEntry } from './ledger.ts';
import type { Site } from './sites.ts';

const text = z.string().min(1);
const newTicket = z
  .strictObject({
    title: text.exactOptional(),
    body: z.string().exactOptional(),
    labels: z.array(text).exactOptional(),
    by: text.exactOptional(),
  })
  .default({});
const person = z.strictObject({ by: text.optional() }).default({});
const newLabels = z.strictObject({ labels: z.array(text).min(1), by: text.optional() });
const newComment = z.strictObject({ body: text, by: text.optional() });
const serverState = z.strictObject({ up: z.boolean() });
const ledgerQuery = z.strictObject({
  kind: z.enum(['request', 'label', 'comment']).optional(),
  last: z.coerce.number().int().min(1).max(10_000).default(50),
});

interface OfTicket {
  readonly Params: { readonly ticket: string };
}

interface OfLabel {
  readonly Params: { readonly ticket: string; readonly label: string };
}

/** A ticket that is not there, told in words. */
export class NoSuchTicketError extends Error {
  constructor(name: string, platform: string) {
    super(`no ticket ${name}: GET /${platform}/tickets lists them`);
    this.name = 'NoSuchTicketError';
  }
}

/** Mounts the routes of a site on a server, or on a part of it that has a prefix. */
export function controlRoutes(app: FastifyInstance, site: Site): void {
  ticketRoutes(app, site.project);
  faultRoutes(app, site.project);
  controlWebhooks(app, site.project);
  app.get('/ledger', ({ query }) => {
    const { kind, last } = ledgerQuery.parse(query);
    return entriesOf(site.project, kind).slice(-last);
  });
  let up = true;
  app.put('/server', async ({ body }) => {
    const wanted = serverState.parse(body);
    if (wanted.up !== up) await (wanted.up ? site.server.start() : site.server.close());
    up = wanted.up;
    return { up };
  });
}

function ticketRoutes(app: FastifyInstance, project: EmulatedProject): void {
  const find = (name: string): TicketView => findTicket(project, name);
  app.get('/tickets', () => project.all());
  app.post('/tickets', ({ body }, reply) => {
    void reply.code(201);
    return project.openTicket(newTicket.parse(body ?? undefined));
  });
  app.get<OfTicket>('/tickets/:ticket', ({ params }) => find(params.ticket));
  app.delete<OfTicket>('/tickets/:ticket', ({ params }, reply) => {
    project.deleteTicket(find(params.ticket).ticket);
    return reply.code(204).send();
  });
  app.post<OfTicket>('/tickets/:ticket/labels', ({ params, body }) => {
    const { ticket } = find(params.ticket);
    const { labels, by } = newLabels.parse(body);
    for (const label of labels) project.addLabel(ticket, label, by);
    return project.ticket(ticket);
  });
  app.delete<OfLabel>('/tickets/:ticket/labels/:label', ({ params, query }) => {
    const { ticket } = find(params.ticket);
    project.removeLabel(ticket, params.label, person.parse(query).by);
    return project.ticket(ticket);
  });
  app.post<OfTicket>('/tickets/:ticket/comments', ({ params, body }, reply) => {
    const { ticket } = find(params.ticket);
    const comment = newComment.parse(body);
    project.comment(ticket, comment.body, comment.by);
    void reply.code(201);
    return project.ticket(ticket);
  });
  app.post<OfTicket>('/tickets/:ticket/close', ({ params, body }) => {
    const { ticket } = find(params.ticket);
    project.closeTicket(ticket, person.parse(body ?? undefined).by);
    return project.ticket(ticket);
  });
  app.post<OfTicket>('/tickets/:ticket/reopen', ({ params, body }) => {
    const { ticket } = find(params.ticket);
    project.reopenTicket(ticket, person.parse(body ?? undefined).by);
    return project.ticket(ticket);
  });
}

function faultRoutes(app: FastifyInstance, { faults }: EmulatedProject): void {
  const injected: { readonly asked: unknown; readonly fault: InjectedFault }[] = [];
  app.get('/faults', () => injected.map(({ asked, fault }) => ({ ...Object(asked), hits: fault.hits })));
  app.post('/faults', ({ body }, reply) => {
    const { match, fault } = faultRequest.parse(body);
    injected.push({ asked: body, fault: faults.inject(match, fault) });
    void reply.code(201);
    return { injected: injected.length };
  });
  app.delete('/faults', (_request, reply) => {
    faults.clear();
    injected.length = 0;
    return reply.code(204).send();
  });
}

function findTicket(project: EmulatedProject, name: string): TicketView {
  const found = project.all().find(({ ticket, id }) => id === name || ticket.toLowerCase() === name.toLowerCase());
  if (found === undefined) throw new NoSuchTicketError(name, project.platform);
  return found;
}

function entriesOf({ ledger }: EmulatedProject, kind: LedgerEntry['kind'] | undefined): LedgerEntry[] {
  const all: LedgerEntry[] = [...ledger.requests(), ...ledger.labelChanges(), ...ledger.comments()];
  return all.filter((entry) => kind === undefined || entry.kind === kind).sort((a, b) => a.seq - b.seq);
}
