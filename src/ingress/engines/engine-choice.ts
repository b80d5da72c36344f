/**
 * Which event engine a project has (DESIGN 7): what `event_engine` says, and for `auto` streaming while it works. It
 * degrades to slow, never to blind. Pure.
 *
 *   streaming --no secret, no listener, or deliveries stopped--> polling
 *        ^                                                          |
 *        +----------- what was missing is there again --------------+
 *
 * That deliveries have stopped is seen by a listing that claims what no delivery told of, and by nothing arriving after it:
 * a hook that is alive tells of the labels that the claim itself sets, within seconds. Afterwards it is polled for a while,
 * whatever arrives: over a road that loses every second delivery it would otherwise change its engine every minute.
 */
import type { EngineKind, FallbackReason, Project } from '../../domain/project.ts';

export interface EngineChoice {
  readonly engine: EngineKind;
  /** Why `auto` has fallen back. */
  readonly reason?: FallbackReason;
}

export interface EngineFacts {
  readonly mode: EngineKind | 'auto';
  /** Whether the project takes deliveries at all. */
  readonly webhooks: boolean;
  /** Whether this replica can take them in. */
  readonly listenerUp: boolean;
  /** Redis TIME of the last delivery of the project; undefined when none is known. */
  readonly lastDeliveryMs: number | undefined;
  /** A change that a listing found and no delivery told of. */
  readonly missed: MissedChange | undefined;
  /** Since when deliveries count as stopped, on the clock of `nowMs`; undefined while they do not. */
  readonly stoppedAtMs: number | undefined;
}

export interface MissedChange {
  /** On the clock of `nowMs`. */
  readonly atMs: number;
  /** `lastDeliveryMs` as it was then: the clocks of this machine and of Redis are not compared. */
  readonly lastDeliveryMs: number | undefined;
}

export interface EnginePatience {
  /** How long a missed change may wait for a delivery before deliveries count as stopped. */
  readonly doubtMs: number;
  /** For how long they count as stopped at least. */
  readonly stayMs: number;
}

export function decideEngine(nowMs: number, facts: EngineFacts, patience: EnginePatience): EngineChoice {
  const { mode } = facts;
  if (mode !== 'auto') return { engine: mode };
  if (!facts.webhooks) return { engine: 'polling', reason: 'no-secret' };
  if (!facts.listenerUp) return { engine: 'polling', reason: 'listener-down' };
  if (haveStopped(nowMs, facts, patience)) return { engine: 'polling', reason: 'deliveries-stopped' };
  return { engine: 'streaming' };
}

function haveStopped(
  nowMs: number,
  { missed, lastDeliveryMs, stoppedAtMs = Number.NEGATIVE_INFINITY }: EngineFacts,
  { doubtMs, stayMs }: EnginePatience,
): boolean {
  if (missed === undefined || nowMs - missed.atMs < doubtMs) return false;
  return nowMs - stoppedAtMs < stayMs || !hasArrived(missed, lastDeliveryMs);
}

/** Whether a delivery has come in since the change that was missed. */
export function hasArrived(missed: MissedChange, lastDeliveryMs: number | undefined): boolean {
  return (lastDeliveryMs ?? 0) > (missed.lastDeliveryMs ?? 0);
}

/** Without `event_engine` a project that is listed at all is listed by the clock. */
export function engineMode({ engine, polling }: Project): EngineFacts['mode'] {
  return engine?.mode ?? (polling === undefined ? 'streaming' : 'polling');
}
