/**
 * Those of the demo's people who write tickets, and register webhooks that tell of them. What is polled for waits before
 * the replicas start; what webhooks tell of is written once they listen. Of some tickets the webhooks are lost.
 */
import type { Site } from '../../emulators/sites.ts';
import { sleep } from '../../foundation/loop.ts';
import type { Board } from './board.ts';
import { somebody } from './chance.ts';
import { WEBHOOK_SECRET } from './configuration.ts';
import type { News } from './news.ts';
import type { Replica } from './replica.ts';
import { BYSTANDERS, type Sample, sampleAt } from './tickets.ts';

export interface TicketWriters {
  /** Opens so many tickets, but for those that a webhook is to tell of. */
  openFirst(count: number): void;
  /** Registers the webhooks when all replicas take them, and opens the tickets that they are to tell of. */
  openOthers(): Promise<void>;
  /** How many tickets `openOthers` has yet to open. */
  unopened(): number;
  /** On the given site, or on each in turn. */
  openTicket(site?: Site): void;
}

export interface TicketWritersDeps {
  readonly sites: readonly Site[];
  /** Those of them that get a webhook. */
  readonly hooked: readonly Site[];
  /** Where it leads. */
  readonly webhookOrigin: string;
  readonly board: Board;
  readonly replicas: readonly Replica[];
  readonly news: News;
  readonly signal: AbortSignal;
}

interface TicketToOpen {
  readonly site: Site;
  readonly sample: Sample;
}

const LOOK_AROUND_MS = 50;
const PACE_MS = 300;
/** Of so many tickets that a webhook should tell of, it is lost for the second one. */
const LOSS_EVERY = 8;

export function createTicketWriters(deps: TicketWritersDeps): TicketWriters {
  const { sites, hooked, board, replicas, news, signal } = deps;
  const others: TicketToOpen[] = [];
  let written = 0;
  let registered = false;
  let sent = 0;

  const write = (wanted?: Site): TicketToOpen => {
    const site = wanted ?? sites[written % sites.length];
    if (site === undefined) throw new Error('the demo has no platform');
    return { site, sample: sampleAt(written++) };
  };

  const open = ({ site, sample }: TicketToOpen): void => {
    const by = somebody();
    const { webhooks } = site.project;
    const isLost = registered && hooked.includes(site) && sent++ % LOSS_EVERY === 1;
    if (isLost) webhooks.spoil('drop');
    const { name, title } = board.open(site, sample, by);
    webhooks.mend();
    news.tell(`${by} opens ${name}: ${title}`, 'person');
    if (isLost) news.tell(`the webhook about ${name} is lost on its way`, 'chaos');
  };

  const openBystanders = (among: readonly Site[]): void => {
    for (const [index, bystander] of BYSTANDERS.entries()) {
      const site = sites[index % sites.length];
      if (site !== undefined && among.includes(site)) board.openBystander(site, bystander);
    }
  };

  /** All replicas take webhooks, and the first listings are over: what is there by then would be theirs to find. */
  const canStream = (): boolean => {
    const views = replicas.map((replica) => replica.view());
    const isListed = ({ platform }: Site): boolean => views.some(({ polls }) => polls.has(platform));
    return views.every(({ webhookPort }) => webhookPort !== undefined) && hooked.every(isListed);
  };

  return {
    openFirst(count) {
      for (let n = 0; n < count; n += 1) {
        const ticket = write();
        if (hooked.includes(ticket.site)) others.push(ticket);
        else board.open(ticket.site, ticket.sample, somebody());
      }
      openBystanders(sites.filter((site) => !hooked.includes(site)));
    },
    async openOthers() {
      while (!canStream()) if (!(await sleep(LOOK_AROUND_MS, signal))) return;
      for (const { platform, project } of hooked) {
        project.addWebhook({ url: `${deps.webhookOrigin}/webhook/${platform}`, secret: WEBHOOK_SECRET });
      }
      registered = true;
      news.tell(`${somebody()} registers webhooks at ${hooked.map(({ name }) => name).join(' and ')}`, 'person');
      while (others.length > 0 && (await sleep(PACE_MS, signal))) others.splice(0, 1).forEach(open);
      openBystanders(hooked);
    },
    unopened: () => others.length,
    openTicket: (site) => open(write(site)),
  };
}
