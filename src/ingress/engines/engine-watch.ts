/**
 * Which event engine each project has at the moment, as the poller leader sees it: keeps what the choice rests on, and says
 * every change once in the log. The finding about a fallback is made from the last poll, so every replica shows it.
 */
import type { Project } from '../../domain/project.ts';
import { messageOf } from '../../foundation/errors.ts';
import type { Log } from '../../foundation/log.ts';
import { decideEngine, type EngineChoice, engineMode, hasArrived, type MissedChange } from './engine-choice.ts';

export interface EngineLook {
  readonly choice: EngineChoice;
  /** It was another one before, or none. */
  readonly changed: boolean;
}

export interface EngineWatch {
  /** Asks Redis for the last deliveries, where the choice rests on them. Never throws; what was known before stays known. */
  freshen(project: Project): Promise<void>;
  /** Decides afresh. */
  look(project: Project): EngineLook;
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

/** What is remembered of a project from one look to the next. */
interface Watched {
  readonly choice?: EngineChoice;
  readonly lastDeliveryMs?: number | undefined;
  readonly missed?: MissedChange | undefined;
  readonly stoppedAtMs?: number | undefined;
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
  return {
    async freshen(project) {
      if (engineMode(project) !== 'auto') return;
      const nowMs = performance.now();
      if (nowMs - readAtMs >= engineDoubtMs / READINGS_PER_DOUBT) {
        readAtMs = nowMs;
        reading = readArrivals();
      }
      await reading;
    },
    look(project) {
      const { name, engine: wish } = project;
      const mode = engineMode(project);
      const { choice: before, missed, stoppedAtMs } = watched.get(name) ?? {};
      const [nowMs, lastDeliveryMs] = [performance.now(), arrivals.get(name)];
      const webhooks = project.triggers.has('webhook');
      const facts = { mode, webhooks, listenerUp: deps.listenerUp(), lastDeliveryMs, missed, stoppedAtMs };
      // What it would cost to be wrong about streaming is one of its pauses.
      const stayMs = wish?.mode === 'auto' ? wish.reconcile.intervalMs : 0;
      const choice = decideEngine(nowMs, facts, { doubtMs: engineDoubtMs, stayMs });
      const { engine, reason } = choice;
      const hasStopped = reason === 'deliveries-stopped';
      const isSettled = mode !== 'auto' || (!hasStopped && missed !== undefined && hasArrived(missed, lastDeliveryMs));
      watched.set(name, {
        choice,
        lastDeliveryMs,
        missed: isSettled ? undefined : missed,
        stoppedAtMs: hasStopped ? (stoppedAtMs ?? nowMs) : undefined,
      });
      const changed = engine !== before?.engine || reason !== before.reason;
      // Without `event_engine` there is no choice that anybody would want to hear of.
      if (changed && wish !== undefined) {
        const level = reason === undefined ? 'info' : 'warn';
        log[level]({ event: eventOf(before, choice), project: name, engine, reason }, 'event engine');
      }
      return { choice, changed };
    },
    doubt({ name }) {
      const known = watched.get(name);
      const missed = known?.missed ?? { atMs: performance.now(), lastDeliveryMs: known?.lastDeliveryMs };
      watched.set(name, { ...known, missed });
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
