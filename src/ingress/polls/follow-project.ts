/**
 * Lists one project whenever its engine wakes it, and looks in between whether it has the engine that it should have. A
 * fallback lists at once: until then nobody has looked for long.
 */
import type { Project } from '../../domain/project.ts';
import { messageOf } from '../../foundation/errors.ts';
import type { Log } from '../../foundation/log.ts';
import type { Sleep } from '../../foundation/loop.ts';
import type { EngineChoice } from '../engines/engine-choice.ts';
import type { EngineWatch } from '../engines/engine-watch.ts';
import { createPollingEngine } from '../engines/polling-engine.ts';
import type { ListingsOwed } from './listings-owed.ts';
import type { PollResult, ProjectPoller } from './project-poller.ts';

export interface FollowProjectDeps {
  readonly poller: ProjectPoller;
  readonly watch: EngineWatch;
  readonly listings: ListingsOwed;
  readonly mayPoll: () => boolean;
  readonly note: (result: PollResult) => void;
  readonly log: Log;
  readonly sleep: Sleep;
}

/** Until the signal aborts and the cycle under way is over. */
export async function followProject(
  project: Project,
  { poller, watch, listings, mayPoll, note, log, sleep }: FollowProjectDeps,
  { engineDoubtMs }: { readonly engineDoubtMs: number },
  signal: AbortSignal,
): Promise<void> {
  /** What the first listing finds is no delivery's fault: it happened while nobody was there, or nobody had asked for it. */
  let caughtUp = false;
  let hurriedFor: string | undefined;

  const list = async (choice: EngineChoice, loss: string | undefined): Promise<void> => {
    // The leader ends the term; here it is enough to do nothing any more.
    if (!mayPoll() || (project.polling === undefined && loss === undefined)) return;
    const result = await poller.poll(choice, signal);
    if (signal.aborted) return;
    if (result.recovered > 0 && caughtUp && loss === undefined) watch.doubt(project);
    if (result.complete) {
      caughtUp = true;
      if (loss !== undefined) listings.settle(project.name, loss);
    }
    note(result);
  };

  const engine = createPollingEngine({ pauseMs: poller.pauseMs, sleep });
  signal.addEventListener('abort', engine.stop, { once: true });
  if (signal.aborted) engine.stop();
  await engine.start();
  for (;;) {
    const wake = await engine.nextWake(engineDoubtMs);
    if (wake?.reason === 'shutdown') return;
    try {
      await watch.freshen(project);
      // Another loop may have the project by now: what this one would find is not to be said any more.
      if (signal.aborted) continue;
      const { choice, changed } = watch.look(project);
      const loss = listings.owed(project.name);
      const isUrgent = (loss !== undefined && loss !== hurriedFor) || (changed && choice.engine === 'polling');
      hurriedFor = loss;
      if (wake !== undefined) await list(choice, loss);
      else if (isUrgent) engine.nudge();
    } catch (error) {
      log.error({ project: project.name, error: messageOf(error) }, 'poll loop failed');
    }
  }
}
