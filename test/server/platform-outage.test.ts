/**
 * One platform is down for an hour; the others never notice. The hour is a whole one, with the back-off and the deadlines of
 * production: the test holds the time that the polls sleep by (test/support/held-time.ts) and lets it pass interval by
 * interval, while requests and Redis take their own real time. So what is asked here is exact: in each interval each of the
 * others is polled once, and claims what was labelled in it.
 */
import { expect, test } from 'vitest';
import { startPolling } from '../ingress/polls/polling.ts';
import { allRuns } from '../platforms/conformance/stages.ts';
import { holdTime } from '../support/held-time.ts';
import { useRedis } from '../support/redis.ts';
import { openTown, type Place } from '../support/town.ts';

const redis = useRedis();
// Two deployments of one platform are down in the same way.
const runs = (await allRuns()).filter(({ name, slug }) => name === slug);
const INTERVAL_MS = 300_000;
const INTERVALS = 3_600_000 / INTERVAL_MS;

test.each(runs)(
  '$name is down for an hour: the others never notice, and it is taken up within one interval',
  async (down) => {
    await using town = await openTown(runs, { redisUrl: redis.url, intervalMs: INTERVAL_MS });
    const time = holdTime();
    const polling = startPolling(town.rooms, { sleep: time.sleep });
    const lost = town.placeOf(down);
    const others = town.places.filter((place) => place !== lost);
    const pollsOf = ({ project }: Place) => polling.polls.filter((poll) => poll.project === project.name);
    const label = ({ stage }: Place) => stage.project.openTicket({ labels: ['agent-smith'] }).ticket;
    const isClaimed = ({ stage }: Place, ticket: string) =>
      stage.project.ticket(ticket).labels.includes('agent-smith:enqueued');
    // Each loop sleeps until its turn has come, and once more when it has polled.
    await time.atRest(town.places.length);
    await time.pass(0);

    await lost.stage.server.close();
    const waiting: string[] = [];
    for (let interval = 1; interval <= INTERVALS; interval += 1) {
      waiting.push(label(lost));
      const labelled = others.map((place) => ({ place, ticket: label(place) }));
      await time.pass(INTERVAL_MS);
      for (const { place, ticket } of labelled) {
        expect(pollsOf(place)).toHaveLength(interval + 1);
        expect(isClaimed(place, ticket)).toBe(true);
      }
    }
    for (const place of others) expect(pollsOf(place).filter(({ result }) => result !== 'ok')).toEqual([]);
    const [before, ...during] = pollsOf(lost).map(({ result }) => result);
    expect(before).toBe('ok');
    // Once in each interval, so that whenever it is back the next poll is one interval away at most.
    expect(during).toEqual(Array.from({ length: INTERVALS }, () => 'unavailable'));
    expect(town.rooms.findings.all()).toMatchObject([
      { code: 'poll-failing', text: expect.stringContaining(down.name) },
    ]);

    await lost.stage.server.start();
    await time.pass(INTERVAL_MS);
    expect(waiting.filter((ticket) => !isClaimed(lost, ticket))).toEqual([]);
    expect(town.rooms.findings.all()).toEqual([]);
  },
);
