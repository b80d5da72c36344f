import { expect, test } from 'vitest';
import { createKeys, type Keys } from '../../src/redis/keys.ts';

const TICKET = 'github~github.com~org%2Fapi~7';

function named(keys: Keys): string[] {
  return [
    keys.leader('poller'),
    keys.claimLock('github', TICKET),
    keys.heartbeat(TICKET),
    keys.ticket(TICKET),
    keys.run('01J'),
    keys.runs('queued'),
    keys.decisions,
    keys.budget('bot'),
    keys.incarnation,
    keys.queuePrefix,
  ];
}

test('keys have exactly the names that people and programs outside rely on', () => {
  expect(named(createKeys({ namespace: 'agentsmith' }))).toEqual([
    'agentsmith:leader:poller',
    `agentsmith:claim-lock:github:${TICKET}`,
    `agentsmith:heartbeat:${TICKET}`,
    `agentsmith:ticket:${TICKET}`,
    'agentsmith:run:01J',
    'agentsmith:runs:queued',
    'agentsmith:decisions',
    'agentsmith:budget:bot',
    'agentsmith:incarnation',
    'agentsmith:queue',
  ]);
});

test('a namespace replaces the first word of every key', () => {
  for (const key of named(createKeys({ namespace: 'team-b' }))) expect(key).toMatch(/^team-b:/);
});

test('in Cluster every key carries the same hash tag, so that one script may touch several', () => {
  for (const key of named(createKeys({ namespace: 'agentsmith', cluster: true })))
    expect(key).toMatch(/^\{agentsmith\}:/);
});

test('no two kinds of key can meet, whatever a ticket or a run is called', () => {
  const keys = createKeys({ namespace: 'agentsmith' });
  const all = [
    ...named(keys),
    keys.unconfirmed,
    keys.polls,
    keys.output('01J'),
    keys.callback('01J'),
    keys.callbackTold,
    keys.result('01J'),
    keys.leaderEpoch('poller'),
    keys.leaderReleased('poller'),
  ];
  expect(new Set(all).size).toBe(all.length);
  expect(keys.runs('queued')).not.toBe(keys.unconfirmed);
});
