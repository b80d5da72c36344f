/** Asking for what was not delivered, with the real client on the emulator. */
import { expect, onTestFinished, test } from 'vitest';
import type { AzureDevOpsEmulatorOptions } from '../../../src/emulators/azuredevops/azuredevops-emulator.ts';
import { azureDevOpsProject } from '../../../src/emulators/azuredevops/azuredevops-project.ts';
import { openAzureDevOpsMissedDeliveries } from '../../../src/platforms/azuredevops/missed-deliveries.ts';
import { azureDevOpsWebhook } from '../../../src/platforms/azuredevops/webhook.ts';
import type { MissedAnswer, MissedQuestion } from '../../../src/platforms/missed-deliveries.ts';
import { webhookReceiver } from '../../emulators/webhook-receiver.ts';
import { watch } from '../../support/watched-source.ts';
import { callOf, failure } from '../conformance/calls.ts';
import { missedQuestion } from '../missed-question.ts';
import { connected, TOKEN } from './connected.ts';

/** Shop in org, whose updates go to a receiver. */
async function hooked(options: AzureDevOpsEmulatorOptions = {}) {
  const at = await connected({ webhooks: { pauseScale: 0 }, ...options });
  onTestFinished(() => at.server.close());
  const receiver = await webhookReceiver();
  const { url } = receiver;
  const project = azureDevOpsProject(at.server, { organization: 'org', project: 'Shop' }, TOKEN);
  const { source, tickets } = watch(project);
  const open = (token = TOKEN) => {
    const credential = { kind: 'token', token } as const;
    const transport = at.transportTo({ credentialId: token });
    return openAzureDevOpsMissedDeliveries({ source, tickets, credential, transport });
  };
  const question = missedQuestion(source, { isOurs: (asked) => asked === url });
  const hook = at.server.subscribe('org', 'Shop', { url, secret: 'x', eventType: 'workitem.updated' });
  at.server.openWorkItem('org', 'Shop');
  return {
    ...at,
    url,
    hook,
    open,
    question,
    look: (more: Partial<MissedQuestion> = {}): Promise<MissedAnswer> =>
      open().look({ ...question, ...more }, callOf()),
    /** Puts a tag on the work item, with this answer, whatever the subscription has become. */
    async tag(tag: string, status: number): Promise<void> {
      receiver.status = status;
      at.server.enableSubscription(hook);
      at.server.addTag('org#1', tag);
      await at.server.webhooks.settled();
    },
  };
}

test('what failed is listed, the oldest first, and answers with the very message that did not arrive', async () => {
  const { server, hook, look, tag } = await hooked();
  await tag('a', 500);
  await tag('b', 202);
  await tag('c', 503);
  const { hooks, missed, truncated } = await look();
  expect({ truncated, states: hooks.map(({ id, state }) => [id, state]) }).toEqual({
    truncated: false,
    states: [[hook, 'failing']],
  });
  const sent = server.webhooks.attempts().map(({ delivery: { headers, body } }) => ({
    ...azureDevOpsWebhook.read({ headers, body: Buffer.from(body) }),
  }));
  const [first, , third] = sent;
  expect(missed.map(({ id, hook: of }) => [id, of])).toEqual([first, third].map((message) => [message?.id, hook]));
  const again = await Promise.all(missed.map((each) => each.again(callOf({ purpose: 'repair' }))));
  expect(again).toEqual([first, third]);
  expect(again[0]).toMatchObject({ event: 'workitem.updated', hook, news: { ticketIds: ['1'], added: ['a'] } });
});

test('what arrived at last, or is older than asked for, is not among them', async () => {
  let now = 1_000_000;
  const { look, tag } = await hooked({ nowMs: () => now });
  await tag('a', 500);
  now += 60_000;
  await tag('b', 500);
  expect((await look({ sinceMs: 1_000_000 })).missed.map(({ atMs }) => atMs)).toEqual([1_000_000, 1_060_000]);
  expect((await look({ sinceMs: 1_000_001 })).missed.map(({ atMs }) => atMs)).toEqual([1_060_000]);
  expect((await look({ sinceMs: 2_000_000 })).missed).toEqual([]);
});

test('no more than asked for, and said that there were more', async () => {
  const { look, tag } = await hooked();
  for (const each of ['a', 'b', 'c']) await tag(each, 500);
  expect(await look({ most: 3 })).toMatchObject({ missed: [{}, {}, {}], truncated: false });
  expect(await look({ most: 2 })).toMatchObject({ missed: [{}, {}], truncated: true });
});

test('only subscriptions of this project that send to us count', async () => {
  const { server, url, hook, look, tag } = await hooked();
  const eventType = 'workitem.updated';
  server.subscribe('org', 'Elsewhere', { url, eventType });
  server.subscribe('org', 'Shop', { url: `${url}/of/somebody/else`, eventType });
  await tag('a', 500);
  const { hooks, missed } = await look();
  expect(hooks.map(({ id }) => id)).toEqual([hook]);
  expect(missed).toHaveLength(1);
  expect(await look({ isOurs: () => false })).toEqual({ hooks: [], missed: [], truncated: false });
});

test('it says of each subscription how it is, without its address and without the secret', async () => {
  const { look, tag, url } = await hooked();
  expect((await look()).hooks).toMatchObject([{ state: 'active', detail: 'workitem.updated is enabled' }]);
  await tag('a', 401);
  const failing = (await look()).hooks;
  expect(failing).toMatchObject([{ state: 'failing', detail: expect.stringContaining('on probation') }]);
  await tag('b', 410);
  const disabled = (await look()).hooks;
  expect(disabled).toMatchObject([{ state: 'disabled', detail: expect.stringContaining('disabledBySystem') }]);
  expect(JSON.stringify([failing, disabled])).not.toContain(new URL(url).host);
});

test('who may not view subscriptions is told so, and not that there are none', async () => {
  const tokens = { smith: { token: TOKEN }, clerk: { token: 'a-clerks-pat', canViewHooks: false } };
  const { open, question, look } = await hooked({ tokens });
  const { missed } = await look();
  expect(missed).toEqual([]);
  const refused = await failure(open('a-clerks-pat').look(question, callOf()), 'a-clerks-pat');
  expect(refused).toMatchObject({ kind: 'auth', effect: 'none' });
  expect(refused.message).toMatch(/may not view the service hook subscriptions of Shop/);
});

test('the scope to read work items will do; a credential that is not taken is an error', async () => {
  const { open, question, tag } = await hooked();
  await tag('a', 500);
  expect((await open('a-readers-pat').look(question, callOf())).missed).toHaveLength(1);
  expect(await failure(open('nobodys-pat').look(question, callOf()), 'nobodys-pat')).toMatchObject({ kind: 'auth' });
});

test('a notification that is gone, or has another shape, is an error of that one', async () => {
  const { server, look, tag } = await hooked();
  await tag('a', 500);
  const [first] = (await look()).missed;
  const again = () => failure(first?.again(callOf()) ?? Promise.resolve(), TOKEN);
  server.faults.inject({ path: /notifications\/1$/, times: 1 }, { kind: 'answer', status: 404, body: {} });
  expect(await again()).toMatchObject({ kind: 'not-found' });
  server.faults.inject(
    { path: /notifications\/1$/, times: 1 },
    { kind: 'answer', status: 200, body: { details: null } },
  );
  expect(await again()).toMatchObject({ kind: 'invalid-response' });
  expect(await first?.again(callOf())).toMatchObject({ news: { added: ['a'] } });
});
