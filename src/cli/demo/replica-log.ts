/** What the demo reads in the log of a replica: where it listens, and by which way each ticket came in. */
import { z } from 'zod';
import { TRIGGERS, type Trigger } from '../../domain/project.ts';

/** A ticket that a replica has made a run of. */
export interface Claim {
  readonly project: string;
  /** By which an adapter reads the ticket. */
  readonly ticketId: string;
  readonly trigger: Trigger;
  /** Wall-clock ms. */
  readonly atMs: number;
}

const claimLine = z.object({
  time: z.iso.datetime(),
  project: z.string(),
  /** `<platform>~<host>~<container>~<id>` */
  ticket: z.string(),
  trigger: z.enum(TRIGGERS),
});

/** It may take any free one. */
export function portIn(line: string): number | undefined {
  const port = /"port":(\d+).*"msg":"listening"/.exec(line)?.[1];
  return port === undefined ? undefined : Number(port);
}

export function claimIn(line: string): Claim | undefined {
  if (!/"outcome":"claimed".*"msg":"claim"\}$/.test(line)) return undefined;
  const { time, project, ticket, trigger } = claimLine.parse(JSON.parse(line));
  const ticketId = decodeURIComponent(ticket.slice(ticket.lastIndexOf('~') + 1));
  return { project, ticketId, trigger, atMs: Date.parse(time) };
}
