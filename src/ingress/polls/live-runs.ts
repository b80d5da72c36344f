/**
 * Which live runs the listings of a project should show, so that a poll notices a ticket that is missing there: closed, or
 * without its trigger label. It costs no request, and a fresh look at that ticket decides.
 *
 * Read for all projects at once, and not anew for each of a thousand of them. What waits in the queue may be many: it is
 * taken a thousand at a time in turn, as each of them is looked at anyway before it starts.
 */

import { hasLabel } from '../../domain/lifecycle.ts';
import type { Project } from '../../domain/project.ts';
import type { Run } from '../../domain/run.ts';
import { ticketKey } from '../../domain/ticket.ts';
import { elapsedMs, type Moment, now } from '../../foundation/clock.ts';
import type { RoundCursor } from '../../runs/rounds.ts';
import type { RunReader } from '../../runs/run-reader.ts';

/** By which a listing finds it, and those that it has to be there for. */
export type LiveRun = Pick<Run, 'id' | 'ticket' | 'ticketId' | 'project' | 'label'>;

export interface LiveRuns {
  /** Those of a project that a trigger label of it has started. Throws `OperationError` when Redis is away. */
  of(project: Project): Promise<readonly LiveRun[]>;
}

const MOST_RUNNING = 10_000;
const MOST_QUEUED = 1_000;
const READ_AGAIN_MS = 5_000;

export function createLiveRuns(runs: Pick<RunReader, 'inState'>): LiveRuns {
  const waiting: RoundCursor = { next: undefined };
  let latest: { readonly at: Moment; readonly byProject: Promise<Map<string, LiveRun[]>> } | undefined;

  const read = async (): Promise<Map<string, LiveRun[]>> => {
    const running = await runs.inState('running', { most: MOST_RUNNING });
    const queued = await runs.inState('queued', { most: MOST_QUEUED, cursor: waiting });
    const found = [...running, ...queued].map(({ id, ticket, ticketId, project, label }) => {
      return { id, ticket, ticketId, project, ...(label === undefined ? {} : { label }) };
    });
    return Map.groupBy(found, ({ project }) => project);
  };

  return {
    async of({ name, source, routing }) {
      if (latest === undefined || elapsedMs(latest.at) >= READ_AGAIN_MS) latest = { at: now(), byProject: read() };
      const mine = (await latest.byProject).get(name) ?? [];
      const listed = [...routing.pipelineFromLabel.keys()];
      return mine.filter(
        ({ ticket, ticketId, label }) =>
          label !== undefined && hasLabel(listed, label) && ticketKey(source, ticketId) === ticket,
      );
    },
  };
}
