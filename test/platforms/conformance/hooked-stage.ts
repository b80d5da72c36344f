/** A stage whose project sends its webhooks to a receiver, and what it has told. */
import { afterAll, beforeAll, expect } from 'vitest';
import type { TicketNews } from '../../../src/domain/ticket-news.ts';
import type { WebhookDialect, WebhookMessage, WebhookRequest } from '../../../src/platforms/webhook.ts';
import { openWebhookReceiver, type WebhookReceiver } from '../../emulators/webhook-receiver.ts';
import { type WatchedSource, watch } from '../../support/watched-source.ts';
import type { ConformanceStage, OpenStage } from '../conformance-stage.ts';

export interface HookedStage extends AsyncDisposable, Pick<WatchedSource, 'source'> {
  readonly stage: ConformanceStage;
  readonly receiver: WebhookReceiver;
  readonly dialect: WebhookDialect;
  /** Id of the hook. */
  readonly hook: string;
  /** What arrives of all that `act` leads to. */
  sent(act: () => unknown): Promise<WebhookRequest[]>;
  told(act: () => unknown): Promise<WebhookMessage[]>;
}

/** @param secret of the hook; that of the stage unless said otherwise */
export async function openHookedStage(open: OpenStage, secret?: string): Promise<HookedStage> {
  const [stage, receiver] = await Promise.all([open(), openWebhookReceiver()]);
  const { project, webhook } = stage;
  const { source, descriptor } = watch(project);
  const hook = project.addWebhook({ url: receiver.url, secret: secret ?? webhook.secret });
  // Some say hello.
  await project.webhooks.settled();
  const sent: HookedStage['sent'] = async (act) => {
    const before = receiver.received.length;
    await act();
    await project.webhooks.settled();
    return receiver.received.slice(before);
  };
  return {
    stage,
    receiver,
    source,
    dialect: descriptor.webhook,
    hook,
    sent,
    told: async (act) => (await sent(act)).map((request) => descriptor.webhook.read(request)),
    async [Symbol.asyncDispose]() {
      await stage[Symbol.asyncDispose]();
      await receiver[Symbol.asyncDispose]();
    },
  };
}

/** One for all tests of a section, which use tickets of their own. */
export function useHookedStage(open: OpenStage): () => HookedStage {
  let hooked: HookedStage | undefined;
  beforeAll(async () => {
    hooked = await openHookedStage(open);
  });
  afterAll(async () => {
    await hooked?.[Symbol.asyncDispose]();
  });
  return () => hooked ?? expect.fail('the stage is not open yet: use it in tests only');
}

/** Of a message that says something about tickets. */
export function newsIn({ news }: WebhookMessage): TicketNews {
  return typeof news === 'string' ? expect.fail(`no news but ${news}`) : news;
}
