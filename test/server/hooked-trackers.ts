/**
 * One real delivery of each tracker, as its emulator sends it, and how a body is signed in the name of each: for tests that
 * treat all four platforms alike.
 */
import { createHmac } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import type { TicketSource } from '../../src/domain/ticket.ts';
import { EMULATED_PLATFORMS, openSites, type Site } from '../../src/emulators/sites.ts';
import { PLATFORMS } from '../../src/platforms/registry.ts';
import type { WebhookDialect, WebhookRequest } from '../../src/platforms/webhook.ts';
import { startLoopbackServer } from '../support/loopback-server.ts';

type Headers = Readonly<Record<string, string>>;

export interface HookedTracker {
  readonly platform: string;
  readonly dialect: WebhookDialect;
  /** Where the ticket is. */
  readonly source: TicketSource;
  /** A source on the same server that the ticket is not in. */
  readonly elsewhere: TicketSource;
  /** That the label `agent-smith` was set on a ticket. */
  readonly labeled: Buffer;
  /** What is sent along with a body. @param id of the delivery, where a header tells it */
  headers(body: Buffer, secret: string | undefined, id?: string): Headers;
}

/** In the order of `EMULATED_PLATFORMS`; their servers are closed again. */
export async function hookedTrackers(): Promise<HookedTracker[]> {
  const sites = await openSites(EMULATED_PLATFORMS);
  try {
    return await Promise.all(sites.map(hookedTracker));
  } finally {
    await Promise.all(sites.map((site) => site.close()));
  }
}

async function hookedTracker({ platform, project }: Site): Promise<HookedTracker> {
  const descriptor = PLATFORMS.find(({ slug }) => slug === platform);
  const source = descriptor?.resolveSource({ ...project.tickets });
  if (descriptor === undefined || source === undefined || 'problem' in source) throw new Error(`no ${platform}`);
  const received: WebhookRequest[] = [];
  const take = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    received.push({ headers: request.headers, body: await buffer(request) });
    response.writeHead(202).end();
  };
  await using server = await startLoopbackServer((request, response) => void take(request, response));
  project.addWebhook({ url: server.origin, secret: 'any' });
  const { ticket } = project.openTicket({ title: 'Größe – 日本', labels: ['bug'] });
  await project.webhooks.settled();
  project.addLabel(ticket, 'agent-smith');
  await project.webhooks.settled();
  const labeled = received.findLast((request) => {
    const { news } = descriptor.webhook.read(request);
    return typeof news !== 'string' && news.added.includes('agent-smith');
  });
  if (labeled === undefined) throw new Error(`${platform} did not tell of the label`);
  return {
    platform,
    dialect: descriptor.webhook,
    source,
    elsewhere: { ...source, container: 'acme/elsewhere', ...(source.scope && { scope: 'ELSE' }) },
    labeled: labeled.body,
    headers: (body, secret, id = 'delivery-1') => ({
      'content-type': 'application/json',
      ...SENT_ALONG[platform]?.(id),
      ...(secret === undefined ? {} : proofOf(platform, body, secret)),
    }),
  };
}

const SENT_ALONG: Readonly<Record<string, (id: string) => Headers>> = {
  github: (id) => ({ 'x-github-event': 'issues', 'x-github-delivery': id, 'x-github-hook-id': '1' }),
  gitlab: (id) => ({ 'x-gitlab-event': 'Issue Hook', 'idempotency-key': id }),
  azuredevops: () => ({}),
  jira: (id) => ({ 'x-atlassian-webhook-identifier': id }),
};

function proofOf(platform: string, body: Buffer, secret: string): Headers {
  const signature = `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`;
  switch (platform) {
    case 'github':
      return { 'x-hub-signature-256': signature };
    case 'jira':
      return { 'x-hub-signature': signature };
    case 'gitlab':
      return { 'x-gitlab-token': secret };
    case 'azuredevops':
      return { authorization: `Basic ${Buffer.from(`hooks:${secret}`).toString('base64')}` };
    default:
      throw new Error(`no way to prove a secret to ${platform}`);
  }
}
