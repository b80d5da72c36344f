/** Starts an emulated tracker as a child, and asks it for things. It ends with this process, however that ends. */
import { startChild } from './child.ts';
import type {
  DeliveriesWanted,
  LabelSet,
  SiteAnswer,
  SiteFacts,
  SiteMessage,
  TicketsDone,
  TicketsWanted,
} from './emulated-site.ts';

export interface Site {
  readonly facts: SiteFacts;
  requests(): Promise<{ readonly paid: number; readonly notModified: number }>;
  work(wanted: TicketsWanted): Promise<TicketsDone>;
  /** One after the other. */
  deliver(wanted: DeliveriesWanted): Promise<readonly LabelSet[]>;
  stop(): Promise<void>;
}

export async function startSite(platform: string): Promise<Site> {
  const child = startChild(new URL('emulated-site.ts', import.meta.url), { args: [platform] });
  const ask = async <T>(question: SiteMessage): Promise<T> => {
    const answered = await child.ask<SiteAnswer>(question);
    if ('error' in answered) throw new Error(`${platform}: ${answered.error}`);
    return answered as T;
  };
  return {
    facts: await child.message<SiteFacts>(),
    requests: () => ask('requests'),
    work: (wanted) => ask(wanted),
    deliver: (wanted) => ask(wanted),
    stop: child.stop,
  };
}
