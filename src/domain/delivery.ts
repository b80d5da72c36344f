/** A delivery: one inbound webhook request, as its record shows it. Never its body: only what we need of it. */
import type { TicketKey } from './ticket.ts';

/**
 * received -> queued (its tickets are being looked at) -> processed / failed; ignored at once, or when it turns out that
 * this configuration wants nothing of it. `failed` goes back to `received` when the platform or a person sends it again.
 */
export const DELIVERY_STATES = ['received', 'queued', 'processed', 'ignored', 'failed'] as const;

export type DeliveryState = (typeof DELIVERY_STATES)[number];

/**
 * `<platform>:<source>:<id>`. The source is the hook that sent it, or the project whose secret proved it: one event may be
 * sent by several hooks under one id, and none of them may swallow another's.
 */
export type DeliveryName = string;

/** Longer ids, and those with other characters, are hashed before they become part of a name. */
export const PLAIN_DELIVERY_ID = /^[A-Za-z0-9._:-]{1,200}$/;

/** What became of one ticket that a delivery spoke of. */
export interface DeliveryResult {
  readonly ticket: TicketKey;
  /** In one word group: `claimed`, `not-eligible: closed`, `failed: unavailable`. */
  readonly outcome: string;
  readonly run?: string;
}

/** Times are Redis TIME in ms. */
export interface Delivery {
  readonly name: DeliveryName;
  readonly platform: string;
  readonly source: string;
  /** The platform's id of the delivery, or ours where it gives none. */
  readonly id: string;
  /** The platform gave no id: this one is made of the payload. */
  readonly derived: boolean;
  readonly event: string;
  readonly action?: string;
  readonly installation?: string;
  /** The repository or project that the payload names, and the platform's id of it. */
  readonly place?: string;
  readonly placeId?: string;
  readonly receivedAtMs: number;
  /** SHA-256 of the body, hex. */
  readonly payloadHash: string;
  /** How it was routed: the projects that it may reach on its place, and the tickets that it speaks of. */
  readonly projects: readonly string[];
  readonly tickets: readonly TicketKey[];
  /** Of the configuration that routed it. */
  readonly configHash: string;
  readonly state: DeliveryState;
  /** Why it was ignored or failed; while it is `queued`, why it has not been processed yet. */
  readonly reason?: string;
  /** How often its tickets were looked at. */
  readonly tries: number;
  /** How often the same delivery came again. */
  readonly duplicates: number;
  readonly results: readonly DeliveryResult[];
  /** When its last ticket was settled. */
  readonly settledAtMs?: number;
}
