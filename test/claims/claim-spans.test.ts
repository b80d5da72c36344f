/** What a claim tells of itself: something of every run that lives on, and nothing of what becomes none. */
import { expect, test } from 'vitest';
import { createTicketClaimService } from '../../src/claims/ticket-claim-service.ts';
import { type House, openHouse, REPOSITORY, silentLog } from '../support/house.ts';
import { type RecordedTrace, recordTrace } from '../support/recorded-trace.ts';
import { useRedis } from '../support/redis.ts';

const redis = useRedis();
const never = new AbortController().signal;

async function openTracedHouse() {
  const house = await openHouse({ redisUrl: redis.url });
  const trace = recordTrace();
  const { claimRecords: records, queue, decisions, canceller, platformOf, timing } = house;
  const claims = createTicketClaimService(
    {
      catalog: () => house.catalog,
      platformOf,
      records,
      queue,
      decisions,
      canceller,
      log: silentLog,
      onOutcome: undefined,
      trace,
    },
    timing,
  );
  const claim = (foundMs = 1_234) => claims.claim({ project: 'api', ticketId: '1', trigger: 'poll', foundMs }, never);
  return { house, trace, claim };
}

const names = ({ spans }: RecordedTrace): string[] => spans.map(({ name }) => name);
const recordOf = async (house: House) => await house.runs.ofTicket(house.keyOf(1));

test('a claim that makes no run tells nothing, however often it comes', async () => {
  const { house, trace, claim } = await openTracedHouse();
  house.hub.openIssue(REPOSITORY, { labels: ['bug'] });
  for (let n = 0; n < 3; n += 1) expect(await claim()).toMatchObject({ kind: 'not-eligible' });
  expect(trace.spans).toEqual([]);
});

test('a claim that was refused for certain has undone everything, and tells nothing', async () => {
  const { house, trace, claim } = await openTracedHouse();
  house.hub.openIssue(REPOSITORY, { labels: ['agent-smith'] });
  house.hub.faults.inject({ method: 'POST', times: 1 }, { kind: 'answer', status: 403 });
  expect(await claim()).toMatchObject({ kind: 'failed' });
  expect(await recordOf(house)).toBeUndefined();
  expect(trace.spans).toEqual([]);
});

test('a claim that fails half-way and the one that goes on with it are in one trace', async () => {
  const { house, trace, claim } = await openTracedHouse();
  house.hub.openIssue(REPOSITORY, { labels: ['agent-smith'] });
  house.hub.faults.inject({ method: 'POST', times: 1 }, { kind: 'answer', status: 502 });
  expect(await claim()).toMatchObject({ kind: 'failed', failure: 'unavailable' });
  expect(names(trace)).toEqual(['read ticket', 'label', 'claim']);
  expect(trace.spans.map(({ failure }) => failure)).toEqual([undefined, 'unavailable', 'unavailable']);
  expect(await claim(9_999)).toMatchObject({ kind: 'claimed' });
  const run = await recordOf(house);
  expect(run).toMatchObject({ state: 'queued', foundMs: 1_234 });
  expect([...new Set(trace.spans.map((span) => span.trace))]).toEqual([run?.id]);
  const claims = trace.spans.filter(({ name }) => name === 'claim');
  expect(claims.map(({ attributes }) => attributes?.['agentsmith.outcome'])).toEqual([
    'failed: unavailable',
    'claimed',
  ]);
  expect(new Set(claims.map(({ key }) => key)).size).toBe(2);
});
