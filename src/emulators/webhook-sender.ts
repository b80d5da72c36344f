/**
 * The sending half of an emulator's webhooks, the same for all of them: what is sent goes over real HTTP to whatever
 * listens at the hook's address, each attempt is remembered, and the road between the two can be bad. What is sent, how it
 * is signed and what a failure leads to is the platform's own.
 *
 * Deliveries are not kept in order: no platform promises that.
 */
import { sleep } from '../foundation/loop.ts';

/** A hook as people register it. */
export interface HookSettings {
  readonly url: string;
  /** What it signs with, or sends along. */
  readonly secret?: string;
}

/** How patient the emulated platform is; the same words on all of them. */
export interface WebhookOptions {
  /** How long an answer is waited for. Default as the real one. */
  readonly timeoutMs?: number;
  /**
   * What the platform waits by itself, before it tries again and while it holds a hook back, is multiplied by it. Default
   * 1, as the real one: up to minutes and hours.
   */
  readonly pauseScale?: number;
}

export interface OutgoingDelivery {
  /** The platform's id of the hook, and of the delivery; the latter is the same when it is sent again. */
  readonly hook: string;
  readonly id: string;
  readonly event: string;
  readonly url: string;
  /** Signatures and content type included. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface DeliveryAttempt {
  readonly delivery: OutgoingDelivery;
  /** 1 for the first, counted per delivery and hook. */
  readonly attempt: number;
  /** Wall-clock ms of the emulator, when it ended. */
  readonly atMs: number;
  /** Undefined when nobody answered in time, or the road swallowed it. */
  readonly status: number | undefined;
  readonly body: string;
}

/** What the road does to the next deliveries. */
export type RoadFault =
  /** They never arrive. */
  | 'drop'
  /** They arrive twice, at the same time. */
  | 'double'
  /** They wait for `release`. */
  | 'hold';

export interface WebhookSender {
  /** Sends now; the answer is waited for in the background. */
  send(delivery: OutgoingDelivery): void;
  /** All attempts so far, in the order of their ends. */
  attempts(): readonly DeliveryAttempt[];
  /** Resolves when nothing is under way, retries that the platform makes by itself included. */
  settled(): Promise<void>;
  /** @param times how many deliveries it happens to; default: until `mend` */
  spoil(fault: RoadFault, times?: number): void;
  /** The road is good again. What is held stays held. */
  mend(): void;
  /** Sends what was held, the newest first. */
  release(): void;
  /** Breaks off what is under way and gives up what waits to be sent again. */
  stop(): Promise<void>;
}

export interface WebhookSenderOptions {
  /** How long the platform waits for an answer. */
  readonly timeoutMs: number;
  readonly nowMs: () => number;
  /**
   * Told of each attempt; returns in how many ms the platform sends the same once more by itself, undefined for never.
   */
  readonly onAttempt: (attempt: DeliveryAttempt) => number | undefined;
}

export function createWebhookSender(options: WebhookSenderOptions): WebhookSender {
  const attempts: DeliveryAttempt[] = [];
  const counts = new Map<string, number>();
  const running = new Set<Promise<void>>();
  const held: OutgoingDelivery[] = [];
  let spoiled: { readonly fault: RoadFault; left: number } | undefined;
  let stopping = new AbortController();

  const post = async ({ url, headers, body }: OutgoingDelivery, signal: AbortSignal) => {
    try {
      const response = await fetch(url, {
        method: 'POST',
        headers,
        body,
        redirect: 'manual',
        signal: AbortSignal.any([signal, AbortSignal.timeout(options.timeoutMs)]),
      });
      return { status: response.status, body: await response.text() };
    } catch {
      // Nobody listens, or not in time: that is all a platform learns too.
      return { status: undefined, body: '' };
    }
  };

  const attempt = async (delivery: OutgoingDelivery, arrives: boolean, signal: AbortSignal): Promise<void> => {
    const answer = arrives ? await post(delivery, signal) : { status: undefined, body: '' };
    if (signal.aborted) return;
    const key = `${delivery.hook} ${delivery.id}`;
    const number = (counts.get(key) ?? 0) + 1;
    counts.set(key, number);
    const made: DeliveryAttempt = { delivery, attempt: number, atMs: options.nowMs(), ...answer };
    attempts.push(made);
    const againMs = options.onAttempt(made);
    if (againMs !== undefined && (await sleep(againMs, signal))) start(delivery);
  };

  const run = (delivery: OutgoingDelivery, arrives: boolean): void => {
    const one = attempt(delivery, arrives, stopping.signal).finally(() => running.delete(one));
    running.add(one);
  };

  const start = (delivery: OutgoingDelivery): void => {
    const fault = spoiled !== undefined && spoiled.left > 0 ? spoiled.fault : undefined;
    if (spoiled !== undefined) spoiled.left -= 1;
    if (fault === 'hold') held.push(delivery);
    else run(delivery, fault !== 'drop');
    if (fault === 'double') run(delivery, true);
  };

  return {
    send: start,
    attempts: () => attempts,
    async settled() {
      while (running.size > 0) await Promise.all(running);
    },
    spoil(fault, times = Number.POSITIVE_INFINITY) {
      spoiled = { fault, left: times };
    },
    mend() {
      spoiled = undefined;
    },
    release() {
      for (const delivery of held.splice(0).reverse()) run(delivery, true);
    },
    async stop() {
      stopping.abort();
      await Promise.all(running);
      stopping = new AbortController();
    },
  };
}
