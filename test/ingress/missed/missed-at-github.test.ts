/** Missed deliveries over the whole way: GitHub's own list, its redelivery over HTTP to our listener, the record in Redis. */
import { expect, onTestFinished, test } from 'vitest';
import type { GitHubEmulator } from '../../../src/emulators/github/github-emulator.ts';
import type { DeliveryAttempt } from '../../../src/emulators/webhook-sender.ts';
import { openGitHubMissedDeliveries } from '../../../src/platforms/github/missed-deliveries.ts';
import { createTransport } from '../../../src/platforms/transport.ts';
import { freePort } from '../../../src/redis/embedded/free-port.ts';
import { createWebhookListener } from '../../../src/server/webhook-listener.ts';
import { webhookRoutes } from '../../../src/server/webhook-routes.ts';
import { plainProject, REPOSITORY, silentLog, startHub, TOKEN } from '../../support/house.ts';
import { useRedis } from '../../support/redis.ts';
import { SECRET } from '../deliveries/deliveries.ts';
import { openScene, openTerm, type Scene } from './missing.ts';

const redis = useRedis();

interface Site extends Scene {
  readonly hub: GitHubEmulator;
  readonly hook: string;
  /** Our listener, always on the same port. */
  goUp(): Promise<{ goDown(): Promise<void> }>;
}

async function openSite(): Promise<Site> {
  const hub = await startHub();
  const project = plainProject(hub);
  const { source } = project;
  const credential = { kind: 'token', token: TOKEN } as const;
  const transport = createTransport({ credentialId: 'bot', origin: hub.url });
  const missed = openGitHubMissedDeliveries({ source, tickets: {}, credential, transport });
  const scene = await openScene(redis.url, [project], () => missed);
  const mount = webhookRoutes({ receiver: () => scene.receiver, log: silentLog }, { path: '/webhook' });
  const port = await freePort();
  const hook = hub.addWebhook(REPOSITORY, { url: `http://127.0.0.1:${port}/webhook/github`, secret: SECRET });
  await hub.webhooks.settled();
  return {
    ...scene,
    hub,
    hook,
    async goUp() {
      const listener = createWebhookListener(mount, { host: '127.0.0.1', port, retryMs: 10 }, silentLog);
      await listener.start();
      onTestFinished(listener.close);
      return { goDown: listener.close };
    },
  };
}

test('what GitHub could not deliver while we were down comes in once we are up, what had arrived is not sent again', async () => {
  const site = await openSite();
  const { hub } = site;
  const first = await site.goUp();
  hub.openIssue(REPOSITORY, { labels: ['agent-smith'] });
  await hub.webhooks.settled();
  await first.goDown();
  // And its ping at the beginning.
  hub.openIssue(REPOSITORY, { labels: ['agent-smith'] });
  hub.openIssue(REPOSITORY, { labels: ['chore'] });
  await hub.webhooks.settled();

  await site.goUp();
  await site.recovery({ redeliveryWaitMs: 5_000 }).pass(openTerm());
  const gap = (await site.board.read()).get('api')?.last;
  expect(gap).toMatchObject({ notArrived: 0 });
  expect(gap?.recovered).toBe(gap?.found);
  const looked = await redis.client.zrange('agentsmith:inbox-due', '0', '-1');
  expect(looked.map((ticket) => ticket.split('~').at(-1))).toEqual(['1', '2']);
  const sent = hub.webhooks.attempts();
  const idsOf = (wanted: (attempt: DeliveryAttempt) => boolean) =>
    sent.filter(wanted).map(({ delivery }) => delivery.id);
  expect(idsOf(({ attempt }) => attempt > 1).sort()).toEqual(idsOf(({ status }) => status === undefined).sort());

  // GitHub's list says that all has arrived.
  const before = sent.length;
  await site.recovery().pass(openTerm());
  expect(hub.webhooks.attempts()).toHaveLength(before);
});

test('a hook that people have switched off is found, and found well again', async () => {
  const { hub, hook, recovery, findings } = await openSite();
  const asking = recovery({ redeliveryWaitMs: 1 });
  hub.switchWebhook(REPOSITORY, hook, false);
  await asking.pass(openTerm());
  expect(await findings()).toMatchObject([{ code: 'hook-disabled', text: expect.stringContaining('Active') }]);
  hub.switchWebhook(REPOSITORY, hook, true);
  await asking.pass(openTerm());
  expect(await findings()).toEqual([]);
});
