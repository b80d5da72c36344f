/** An attempt and its ticket as runners tell them to what does the work. Fields are added, never renamed. */
import type { RunnerRequest } from './runner.ts';

export function ticketJson(request: RunnerRequest): Readonly<Record<string, unknown>> {
  const { ticket, code, run, attempt, fence, project, pipeline, platform } = request;
  const { open: _, ...described } = ticket;
  return { ...described, source: code, project, pipeline, platform, run, attempt, fence };
}
