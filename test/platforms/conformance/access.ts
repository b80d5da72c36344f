/** What the credential may do, asked without writing anything. */
import { expect, test } from 'vitest';
import type { RequestEntry } from '../../../src/emulators/ledger.ts';
import { ACCESS_RIGHTS, type AccessFact, type TicketPlatform } from '../../../src/platforms/contract.ts';
import { callOf, failure, isRead, requestsDuring, revealed } from './calls.ts';
import type { At } from './stages.ts';

/** Questions that are too long for a URL, so they are posted; they change nothing. */
const POSTED_QUESTIONS = /\/(wiql|workitemsbatch|search(\/jql)?|permissions\/check)(\?|$)/i;

/** Azure DevOps validates a change without saving it. */
const VALIDATED_ONLY = /[?&]validateOnly=true(&|$)/;

export function access(at: At): void {
  const asked = async (platform: TicketPlatform): Promise<Map<string, AccessFact>> => {
    const { server, secret } = at();
    const { ledger } = server;
    const written = () => ledger.labelChanges().length + ledger.comments().length;
    const before = written();
    let facts: readonly AccessFact[] = [];
    const requests = await requestsDuring(server, async () => {
      facts = await platform.checkAccess(callOf({ purpose: 'inspect' }));
    });
    expect(written()).toBe(before);
    expect(requests.filter((request) => !isQuestion(request))).toEqual([]);
    expect(requests).not.toEqual([]);

    const rights = facts.map(({ right }) => right);
    expect(rights).toEqual(ACCESS_RIGHTS.filter((right) => rights.includes(right)));
    for (const { granted, evidence, advice } of facts) {
      expect(evidence).toMatch(/\S{2}/);
      if (granted === 'yes') expect(advice).toBeUndefined();
      else expect(advice).toMatch(/.{10}/);
    }
    expect(revealed(facts, secret)).toEqual([]);
    return new Map(facts.map((fact) => [fact.right, fact]));
  };

  test('a credential that may do everything is refused nothing', async () => {
    at().project.openTicket();
    const facts = await asked(at().platform);
    expect([...facts.keys()]).toEqual(ACCESS_RIGHTS);
    expect(facts.get('sign-in')).toMatchObject({ granted: 'yes' });
    expect(facts.get('read-tickets')).toMatchObject({ granted: 'yes' });
    // Where the platform does not tell before one tries, that is what is said.
    for (const { granted } of facts.values()) expect(granted).not.toBe('no');
  });

  test('one that may only read is told so, with advice, or that it cannot be known', async () => {
    const facts = await asked(at().reader);
    expect(facts.get('sign-in')).toMatchObject({ granted: 'yes' });
    expect(facts.get('read-tickets')).toMatchObject({ granted: 'yes' });
    expect(facts.get('write-labels')).toMatchObject({ granted: expect.toBeOneOf(['no', 'unknown']) });
  });

  test('one that the platform does not know may not even sign in', async () => {
    const facts = await asked(at().stranger);
    expect(facts.get('sign-in')).toMatchObject({ granted: 'no' });
    for (const { granted } of facts.values()) expect(granted).not.toBe('yes');
  });

  test.each([500, 503])('a platform that is down (%i) is an error, not a lack of rights', async (status) => {
    const { server, platform, secret } = at();
    server.faults.inject({}, { kind: 'answer', status });
    expect(await failure(platform.checkAccess(callOf()), secret)).toMatchObject({ kind: 'unavailable' });
  });
}

const isQuestion = (request: RequestEntry): boolean =>
  isRead(request) ||
  VALIDATED_ONLY.test(request.path) ||
  (request.method === 'POST' && POSTED_QUESTIONS.test(request.path));
