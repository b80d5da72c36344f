/** With the credential of a site, and without its patience, what a webhook of it has lost can be recovered. */
import { expect, onTestFinished, test } from 'vitest';
import { EMULATED_PLATFORMS, openSites, type Site } from '../../src/emulators/sites.ts';
import type { Credential } from '../../src/platforms/descriptor.ts';
import { createTransport } from '../../src/platforms/transport.ts';
import { callOf } from '../platforms/conformance/calls.ts';
import { missedQuestion } from '../platforms/missed-question.ts';
import { watch } from '../support/watched-source.ts';
import { webhookReceiver } from './webhook-receiver.ts';

async function openSite(platform: string): Promise<Site> {
  const sites = await openSites([platform], () => ({ webhooks: { pauseScale: 0 } }));
  onTestFinished(() => sites[0]?.close());
  return sites[0] ?? expect.fail('it did not open');
}

function missedAt({ project }: Site) {
  const { descriptor, source, tickets } = watch(project);
  const { token: tokenVariable, email: emailVariable = '' } = descriptor.environment;
  const { [tokenVariable]: token = '', [emailVariable]: email } = project.environment;
  const credential: Credential = email === undefined ? { kind: 'token', token } : { kind: 'basic', email, token };
  const transport = createTransport({ credentialId: 'bot', origin: source.apiUrl });
  return { source, missed: descriptor.openMissedDeliveries({ source, tickets, credential, transport }) };
}

test.each(EMULATED_PLATFORMS)('%s', async (platform) => {
  const site = await openSite(platform);
  const receiver = await webhookReceiver();
  const { source, missed } = missedAt(site);
  const { project } = site;
  const { id, ticket } = project.openTicket();
  project.addWebhook({ url: receiver.url });
  await project.webhooks.settled();
  receiver.received.length = 0;
  project.webhooks.spoil('drop');
  project.addLabel(ticket, 'fix');
  await project.webhooks.settled();
  project.webhooks.mend();

  const answer = await missed.look(missedQuestion(source, { sinceMs: Date.now() - 60_000 }), callOf());
  expect(answer.missed).toHaveLength(1);
  const told = await answer.missed[0]?.again(callOf());
  await project.webhooks.settled();
  const { webhook } = watch(project).descriptor;
  const messages = [
    ...receiver.received.map((request) => webhook.read(request)),
    ...(told === undefined ? [] : [told]),
  ];
  expect(messages).toMatchObject([{ id: answer.missed[0]?.id, news: { ticketIds: [id], labels: ['fix'] } }]);
});
