/**
 * Which event engine each project has at the moment, as the poller leader sees it: keeps what the choice rests on, and says
 * every change once in the log. The finding about a fallback is made from the last poll, so every replica shows it.
 */
import type { Project } from '../domain/project.ts';
import { messageOf } from '../foundation/errors.ts';
import type { Log } from '../foundation/log.ts';
import { decideEngine, type EngineChoice, engineMode, hasArrived, type MissedChange } from './engine-choice.ts';

export interface EngineLook {
  readonly choice: EngineChoice;
  /** It was another one before, or none. */
  readonly changed: boolean;
}

export interface EngineWatch {
  /** Decides afresh. Never throws; while Redis is away it goes by the deliveries that it last knew of. */
  look(project: Project): Promise<EngineLook>;
  /** A listing has claimed what a delivery should have told of. */
  doubt(project: Project): void;
  /** Only these projects are of interest any more. */
  retain(projects: ReadonlySet<string>): void;
}

export interface EngineWatchDeps {
  /** Whether the listener for webhooks is open. */
  readonly listenerUp: () => boolean;
  /** Redis TIME of the last delivery of each project. May throw. */
  readonly arrivals: () => Promise<ReadonlyMap<string, number>>;
  readonly log: Log;
}

export interface EngineWatchOptions {
  readonly engineDoubtMs: number;
}

interface Watched {
  choice: EngineChoice | undefined;
  missed: MissedChange | undefined;
  lastDeliveryMs: number | undefined;
}

/** A thousand projects look one by one; one reading serves all that look at about the same time. */
const READINGS_PER_DOUBT = 30;

export function createEngineWatch(deps: EngineWatchDeps, { engineDoubtMs }: EngineWatchOptions): EngineWatch {
  const { log } = deps;
  const watched = new Map<string, Watched>();
  let arrivals: ReadonlyMap<string, number> = new Map();
  let reading: Promise<void> = Promise.resolve();
  let readAtMs = Number.NEGATIVE_INFINITY;

  const readArrivals = async (): Promise<void> => {
    try {
      arrivals = await deps.arrivals();
    } catch (error) {
      log.debug({ error: messageOf(error) }, 'last deliveries not read');
    }
  };
  const freshen = (): Promise<void> => {
    const nowMs = performance.now();
    if (nowMs - readAtMs >= engineDoubtMs / READINGS_PER_DOUBT) {
      readAtMs = nowMs;
      reading = readArrivals();
    }
    return reading;
  };

  const stateOf = ({ name }: Project): Watched => {
    const known = watched.get(name) ?? { choice: undefined, missed: undefined, lastDeliveryMs: undefined };
    watched.set(name, known);
    return known;
  };

  return {
    async look(project) {
      const mode = engineMode(project);
      const state = stateOf(project);
      if (mode === 'auto') await freshen();
      const lastDeliveryMs = arrivals.get(project.name);
      const missed = state.missed && hasArrived(state.missed, lastDeliveryMs) ? undefined : state.missed;
      const facts = {
        mode,
        missed,
        lastDeliveryMs,
        webhooks: project.triggers.has('webhook'),
        listenerUp: deps.listenerUp(),
      };
      const choice = decideEngine(performance.now(), facts, engineDoubtMs);
      const before = state.choice;
      const changed = choice.engine !== before?.engine || choice.reason !== before.reason;
      Object.assign(state, { choice, missed, lastDeliveryMs });
      // Without `event_engine` there is no choice that anybody would want to hear of.
      if (changed && project.engine !== undefined) {
        const { engine, reason } = choice;
        const level = reason === undefined ? 'info' : 'warn';
        log[level]({ event: eventOf(before, choice), project: project.name, engine, reason }, 'event engine');
      }
      return { choice, changed };
    },
    doubt(project) {
      const state = stateOf(project);
      state.missed ??= { atMs: performance.now(), lastDeliveryMs: state.lastDeliveryMs };
    },
    retain(projects) {
      for (const name of watched.keys()) if (!projects.has(name)) watched.delete(name);
    },
  };
}

type EngineEvent = 'event_engine_started' | 'event_engine_fallback' | 'event_engine_recovered';

function eventOf(before: EngineChoice | undefined, { engine, reason }: EngineChoice): EngineEvent {
  if (reason !== undefined) return 'event_engine_fallback';
  return before?.reason !== undefined && engine === 'streaming' ? 'event_engine_recovered' : 'event_engine_started';
}
