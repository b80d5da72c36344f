/** Asking Jira for what has changed, with the real client on the emulator. */
import { expect, test } from 'vitest';
import type { JiraEmulatorOptions } from '../../../src/emulators/jira/jira-emulator.ts';
import { jiraProject } from '../../../src/emulators/jira/jira-project.ts';
import { openJiraMissedDeliveries } from '../../../src/platforms/jira/missed-deliveries.ts';
import type { MissedAnswer, MissedQuestion } from '../../../src/platforms/missed-deliveries.ts';
import { createTransport } from '../../../src/platforms/transport.ts';
import { watch } from '../../support/watched-source.ts';
import { callOf, failure, requestsDuring } from '../conformance/calls.ts';
import { missedQuestion } from '../missed-question.ts';
import { connected, TOKEN } from './connected.ts';

const MINUTE_MS = 60_000;

/** A site whose clock can be set, and the question that a project asks there. */
async function site(options: Partial<JiraEmulatorOptions> = {}) {
  const clock = { nowMs: Date.now() };
  const at = await connected({ nowMs: () => clock.nowMs, ...options });
  const { source, tickets } = watch(jiraProject(at.site, 'ABC', { token: TOKEN }));
  const open = (email: string, token: string) =>
    openJiraMissedDeliveries({
      source,
      tickets,
      credential: at.site.deployment === 'cloud' ? { kind: 'basic', email, token } : { kind: 'token', token },
      transport: createTransport({ credentialId: 'smith', origin: source.apiUrl }),
    });
  const look = (more: Partial<MissedQuestion> = {}, missed = open('smith@example.com', TOKEN)): Promise<MissedAnswer> =>
    missed.look(
      missedQuestion(source, { sinceMs: clock.nowMs - 5 * MINUTE_MS, ...more }),
      callOf({ purpose: 'repair' }),
    );
  const openAt = (agoMs: number, labels: readonly string[], key = 'ABC') => {
    const nowMs = clock.nowMs;
    clock.nowMs = nowMs - agoMs;
    const { id } = at.site.openIssue(key, { labels });
    clock.nowMs = nowMs;
    return id;
  };
  return { ...at, source, look, open, openAt };
}

const messagesOf = ({ missed }: MissedAnswer) => Promise.all(missed.map((one) => one.again(callOf())));
const ticketsOf = async (answer: MissedAnswer) =>
  (await messagesOf(answer)).flatMap((message) =>
    typeof message?.news === 'object' ? message.news.ticketIds : expect.fail('no news'),
  );

test.each([
  ['Cloud', { pageLimit: 2 }],
  ['Cloud behind its gateway', { contextPath: '/ex/jira/1' }],
  ['Data Center', { deployment: 'data_center', contextPath: '/jira', pageLimit: 2 }],
] as const)('%s: what has changed since is told as if it had arrived', async (_, options) => {
  await using at = await site(options);
  const id = at.openAt(MINUTE_MS, ['fix', 'later']);
  const others = [at.openAt(2 * MINUTE_MS, ['agent-smith:pending']), at.openAt(3 * MINUTE_MS, ['FIX'])];
  at.openAt(MINUTE_MS, ['other']);
  at.openAt(MINUTE_MS, ['fix'], 'XYZ');
  at.openAt(60 * MINUTE_MS, ['fix']);
  const answer = await at.look();
  expect(answer).toMatchObject({ hooks: [], truncated: false });
  expect(await ticketsOf(answer)).toEqual([...others.toReversed(), id]);
  const [message] = (await messagesOf(answer)).slice(-1);
  expect(message).toEqual({
    id: answer.missed.at(-1)?.id,
    hook: undefined,
    event: 'jira:issue_updated',
    action: undefined,
    place: { host: at.source.host, container: '', scope: 'ABC', id: expect.stringMatching(/^\d+$/) },
    news: {
      ticketIds: [id],
      about: 'ticket',
      added: [],
      removed: [],
      labels: ['fix', 'later'],
      open: true,
      ownComment: false,
    },
  });
});

test('the window overlaps with the one before, and what is found again has the id that it had', async () => {
  await using at = await site();
  at.openAt(6.5 * MINUTE_MS, ['fix']);
  at.openAt(9 * MINUTE_MS, ['fix']);
  const first = await at.look();
  expect(first.missed).toHaveLength(1);
  expect((await at.look({ sinceMs: Date.now() })).missed).toEqual([]);
  const again = (await at.look()).missed.map(({ id }) => id);
  expect(again).toEqual(first.missed.map(({ id }) => id));
  at.site.addLabel('ABC-1', 'more');
  expect((await at.look()).missed.map(({ id }) => id)).not.toEqual(again);
});

test('what is closed is not missed', async () => {
  await using at = await site();
  at.openAt(MINUTE_MS, ['fix']);
  at.site.setStatus('ABC-1', 'done');
  expect(await at.look()).toMatchObject({ missed: [], truncated: false });
});

test('of more than was asked for the oldest come, and it says so', async () => {
  await using at = await site({ pageLimit: 2 });
  const [newest, oldest, middle] = [1, 3, 2].map((minutes) => at.openAt(minutes * MINUTE_MS, ['fix']));
  const answer = await at.look({ most: 2 });
  expect(answer.truncated).toBe(true);
  expect(await ticketsOf(answer)).toEqual([oldest, middle]);
  expect(await ticketsOf(await at.look({ most: 3 }))).toEqual([oldest, middle, newest]);
});

test('there is an end to how far it reads', async () => {
  await using at = await site({ pageLimit: 1 });
  for (let n = 0; n < 25; n += 1) at.openAt(MINUTE_MS, ['fix']);
  const requests = await requestsDuring(at.site, async () => {
    expect(await at.look()).toMatchObject({ truncated: true, missed: { length: 20 } });
  });
  expect(requests.length).toBeLessThan(25);
});

test('a refusal comes as what it is', async () => {
  await using at = await site();
  expect(await failure(at.look({}, at.open('smith@example.com', 'guess')), TOKEN)).toMatchObject({ kind: 'auth' });
  const outsider = at.open('outsider@example.com', 'outsider-token');
  expect(await failure(at.look({}, outsider), TOKEN)).toMatchObject({ kind: 'not-found' });
  const issues = [
    { id: '1', key: 'ABC-1', fields: { project: { key: 'ABC' }, status: { statusCategory: { key: 'new' } } } },
  ];
  at.site.faults.inject({}, { kind: 'answer', status: 200, body: { issues, isLast: true } });
  expect(await failure(at.look(), TOKEN)).toMatchObject({ kind: 'invalid-response' });
});
