/** What did not arrive is asked for, once, by whoever leads (row E11 and the consequences of how platforms fail). */
import { expect, onTestFinished, test, vi } from 'vitest';
import { OperationError } from '../../../src/foundation/errors.ts';
import { sleep } from '../../../src/foundation/loop.ts';
import { PlatformError } from '../../../src/platforms/contract.ts';
import type { BudgetWindow } from '../../../src/platforms/rate-limits.ts';
import { useRedis } from '../../support/redis.ts';
import { until } from '../../support/until.ts';
import { sentIssue } from '../deliveries/deliveries.ts';
import {
  HOOK,
  type LossyPlatform,
  lossyPlatform,
  openScene,
  openTerm,
  type Scene,
  sendTo,
  taker,
  tell,
} from './missing.ts';

const redis = useRedis();
const nothing = async (): Promise<undefined> => undefined;

/** One project on one platform that sends again what it has lost. */
async function api(): Promise<Scene & { readonly platform: LossyPlatform }> {
  const platform = lossyPlatform(nothing);
  const scene = await openScene(redis.url, [taker('api')], () => platform);
  platform.again = sendTo(scene);
  return { ...scene, platform };
}

const gapLines = ({ lines }: Pick<Scene, 'lines'>) =>
  lines.filter(({ event }) => event === 'missed_deliveries_recovered');

test('what was lost while nobody listened comes in, and the gap is named in one line and kept for everybody', async () => {
  const at = await api();
  await at.recovery().pass(openTerm());
  expect(at.lines).toEqual([]);

  // Nobody has listened for 4 min 12 s.
  await redis.client.hset('agentsmith:listening', 'downMs', 252_000);
  at.platform.lost = [
    { id: 'd1', number: 1 },
    { id: 'd2', number: 2 },
    { id: 'd3', label: 'chore', labels: ['chore'] },
  ];
  await at.recovery().pass(openTerm());
  expect(at.platform.asked).toEqual(['d1', 'd2', 'd3']);
  const gap = { downMs: 252_000, found: 3, recovered: 3, relevant: 2, notArrived: 0 };
  expect(gapLines(at)).toMatchObject([
    { project: 'api', ...gap, msg: 'down 4 min 12 s, 3 deliveries recovered, 2 relevant' },
  ]);
  expect(at.recovered).toEqual([{ platform: 'github', recovered: 3, relevant: 2 }]);

  // Later passes find nothing: they say nothing, and what was found last is still shown.
  await at.recovery().pass(openTerm());
  expect(gapLines(at)).toHaveLength(1);
  expect((await at.board.read()).get('api')?.last).toMatchObject(gap);
  expect(at.platform.asked).toHaveLength(3);
});

test('a new leader goes on where the last one came to, a little before, and nobody goes further back than three days', async () => {
  const at = await api();
  const startedMs = Date.now();
  await at.recovery().pass(openTerm());
  await at.recovery().pass(openTerm());
  await at.board.publish('api', { sinceMs: 0, downMs: 0 });
  await at.recovery().pass(openTerm());
  const [first = 0, second = 0, third = 0] = at.platform.questions.map(({ sinceMs }) => startedMs - sinceMs);
  expect(first).toBeCloseTo(3 * 86_400_000, -5);
  expect(second).toBeCloseTo(300_000, -4);
  expect(third).toBeCloseTo(3 * 86_400_000, -5);
});

test('what is on record already is not asked for, whatever the list of the platform says', async () => {
  const at = await api();
  await at.receiver.receive(sentIssue({ id: 'd1', hook: HOOK }));
  at.platform.lost = [{ id: 'd1' }, { id: 'd2' }];
  await at.recovery().pass(openTerm());
  expect(at.platform.asked).toEqual(['d2']);
});

test.each([
  ['d2', ['d1', 'd2']],
  ['d3', ['d1', 'd2', 'd3']],
])(
  'a pass that ends with its term at %s has noted nothing: the next leader looks at the same time again',
  async (fatal, asked) => {
    const at = await api();
    const atMs = Date.now() - 3_600_000;
    at.platform.lost = ['d1', 'd2', 'd3'].map((id) => ({ id, atMs }));
    const term = openTerm();
    const send = at.platform.again;
    at.platform.again = async (lost, call) => {
      if (lost.id === fatal) term.end();
      return await send(lost, call);
    };
    await at.recovery().pass(term);
    expect(at.platform.asked).toEqual(asked);
    expect(await at.board.read()).toEqual(new Map());
    expect(at.lines).toEqual([]);

    at.platform.again = send;
    await at.recovery().pass(openTerm());
    expect(at.platform.asked).toEqual(['d1', 'd2', 'd3']);
    expect(at.platform.questions[1]?.sinceMs).toBeLessThan(atMs);
  },
);

test('a full inbox ends the pass, and nothing of it is given up', async () => {
  const at = await api();
  const atMs = Date.now() - 3_600_000;
  at.platform.lost = ['d1', 'd2'].map((id) => ({ id, atMs }));
  at.platform.again = tell;
  await redis.client.zadd(
    'agentsmith:inbox-due',
    ...Array.from({ length: 10_000 }, (_, i) => [0, `ticket-${i}`]).flat(),
  );
  await at.recovery().pass(openTerm());
  expect(at.platform.asked).toEqual(['d1']);
  expect((await at.board.read()).get('api')).toMatchObject({ sinceMs: atMs });
  expect(at.lines).toEqual([]);
});

test('a limit ends the pass for the credential; the next pass begins with what was left', async () => {
  const [platform, other] = [lossyPlatform(nothing), lossyPlatform(nothing)];
  const projects = [taker('api'), ...['b', 'c', 'd'].map((name) => taker(name, name, { container: `org/${name}` }))];
  const at = await openScene(redis.url, projects, ({ name }) => (name === 'api' ? platform : other));
  const hourAgoMs = Date.now() - 3_600_000;
  platform.lost = ['d1', 'd2', 'd3'].map((id, i) => ({ id, atMs: hourAgoMs + i }));
  let limited = true;
  platform.again = async (lost, call) => {
    if (lost.id === 'd2' && limited) throw new PlatformError('rate-limited', 'later', { retryAfterMs: 60_000 });
    return await sendTo(at)(lost, call);
  };
  const { look } = other;
  // The other worker of the credential has its source until the limit is met, and takes no further one.
  other.look = async () => {
    await until('the limit is met', () => platform.asked.includes('d2'));
    throw new PlatformError('rate-limited', 'later');
  };
  const recovery = at.recovery();
  await recovery.pass(openTerm());
  expect(platform.asked).toEqual(['d1', 'd2']);
  expect((await at.board.read()).get('api')?.sinceMs).toBe(hourAgoMs + 1);
  expect([...(await at.board.read()).keys()]).toEqual(['api']);

  limited = false;
  other.look = look;
  await recovery.pass(openTerm());
  expect(platform.asked).toEqual(['d1', 'd2', 'd2', 'd3']);
  expect((await at.board.read()).get('api')?.sinceMs).toBeGreaterThan(hourAgoMs + 3);
});

test('what does not arrive is asked for again, less and less often, and given up after a day; until then nothing counts as done', async () => {
  const at = await api();
  vi.useFakeTimers({ toFake: ['Date'] });
  onTestFinished(() => void vi.useRealTimers());
  const atMs = Date.now() - 3_600_000;
  at.platform.lost = [{ id: 'd1', atMs }];
  at.platform.again = nothing;
  const recovery = at.recovery({ redeliveryWaitMs: 1, missedScanMs: 600_000 });
  const triedIn: number[] = [];
  for (let pass = 0; pass < 150; pass += 1) {
    const before = at.platform.asked.length;
    await recovery.pass(openTerm());
    if (at.platform.asked.length > before) triedIn.push(pass);
    if (pass === 105) expect((await at.board.read()).get('api')?.sinceMs).toBe(atMs);
    vi.setSystemTime(Date.now() + 600_000);
  }
  expect(triedIn).toEqual([0, 1, 2, 4, 8, 15, 28, 54, 106]);
  expect((await at.board.read()).get('api')?.sinceMs).toBeGreaterThan(atMs);
  expect(gapLines(at).map(({ msg }) => msg)).toEqual(['0 deliveries recovered, 0 relevant, 1 not arrived yet']);
});

test('a delivery that is gone at the platform keeps nobody from the others', async () => {
  const at = await api();
  at.platform.lost = [{ id: 'gone' }, { id: 'd2' }];
  const send = at.platform.again;
  at.platform.again = async (lost, call) => {
    if (lost.id === 'gone') throw new PlatformError('not-found', 'no such delivery');
    return await send(lost, call);
  };
  await at.recovery().pass(openTerm());
  expect(gapLines(at)).toMatchObject([{ found: 2, recovered: 1, notArrived: 1 }]);
});

test('projects on one source are asked for together, with the triggers of all, and each gets what is its own', async () => {
  const platform = lossyPlatform(tell);
  const projects = [
    taker('api', 'a'),
    taker('web', 'b'),
    { ...taker('polled', 'c'), triggers: new Set(['poll'] as const) },
  ];
  const at = await openScene(redis.url, projects, () => platform);
  platform.lost = [{ id: 'd1', label: 'b', labels: ['b'] }];
  await at.recovery().pass(openTerm());
  expect(platform.questions.map(({ project }) => [...project.routing.pipelineFromLabel.keys()])).toEqual([['a', 'b']]);
  expect(gapLines(at)).toMatchObject([{ project: 'api, web', recovered: 1, relevant: 1 }]);
  expect(await redis.client.hget('agentsmith:delivery:github:api.1:d1', 'projects')).toBe('api,web');
  expect([...(await at.board.read()).keys()].sort()).toEqual(['api', 'web']);
});

test('a credential that may not look is no finding: it is said once, and asked again only now and then', async () => {
  const at = await api();
  at.platform.refusal = new PlatformError('not-found', 'list hooks: Not Found', { status: 404 });
  const recovery = at.recovery();
  for (let pass = 0; pass < 3; pass += 1) await recovery.pass(openTerm());
  expect(at.platform.questions).toHaveLength(1);
  // Somebody may have granted the right meanwhile.
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 2 * 3_600_000 });
  onTestFinished(() => void vi.useRealTimers());
  await recovery.pass(openTerm());
  expect(at.platform.questions).toHaveLength(2);
  expect(at.lines).toMatchObject([{ level: 30, project: 'api', problem: 'list hooks: Not Found' }]);
  expect(await at.findings()).toEqual([]);
});

test('a platform that is away costs a few questions, not one for each source', async () => {
  const platform = lossyPlatform(nothing);
  platform.refusal = new PlatformError('unavailable', 'no answer');
  const plain = Array.from({ length: 30 }, (_, i) => taker(`p${i}`, 'a', { container: `org/r${i}` }));
  // The listings tell of it.
  const projects = plain.map((project) => ({ ...project, triggers: new Set([...project.triggers, 'poll' as const]) }));
  const at = await openScene(redis.url, projects, () => platform);
  await at.recovery().pass(openTerm());
  expect(platform.questions.length).toBeLessThan(8);
  expect(at.lines).toEqual([]);
});

test('a hook that its platform holds back or has switched off is a finding, until it is active again', async () => {
  const at = await api();
  const recovery = at.recovery();
  const seen = async (state: 'active' | 'failing' | 'disabled') => {
    at.platform.hooks = [{ id: HOOK, state, detail: 'press Test' }];
    await recovery.pass(openTerm());
    return await at.findings();
  };
  expect(await seen('disabled')).toMatchObject([
    { code: 'hook-disabled', severity: 'error', text: expect.stringMatching(/^Project api: .*press Test\.$/) },
  ]);
  expect(await seen('failing')).toMatchObject([{ code: 'hook-failing', severity: 'warning' }]);
  expect(await seen('active')).toEqual([]);
});

test('no hook is told of only as long as nothing has ever arrived', async () => {
  const at = await api();
  at.platform.hooks = [];
  const recovery = at.recovery();
  await recovery.pass(openTerm());
  expect(await at.findings()).toMatchObject([{ code: 'no-hook', severity: 'info' }]);
  await at.receiver.receive(sentIssue());
  await recovery.pass(openTerm());
  expect(await at.findings()).toEqual([]);
});

test('a leader asks when its term begins and goes on asking', async () => {
  const at = await api();
  const term = openTerm();
  const led = at.recovery({ missedScanMs: 5 }).lead(term);
  await until('it has asked three times', () => at.platform.questions.length >= 3);
  term.end();
  await led;
});

test('who may not look any more says nothing of the hooks either', async () => {
  const at = await api();
  at.platform.hooks = [{ id: HOOK, state: 'disabled', detail: 'press Test' }];
  await at.recovery().pass(openTerm());
  expect(await at.findings()).toHaveLength(1);
  at.platform.refusal = new PlatformError('auth', 'no right', { status: 403 });
  await at.recovery().pass(openTerm());
  expect(await at.findings()).toEqual([]);
});

test('what the polls need of a budget is left to them: the rest is asked for when there is enough', async () => {
  const platform = lossyPlatform(nothing);
  let window: BudgetWindow = { limit: 1_000, remaining: 1_000, resetMs: 500, windowMs: 500 };
  const projects = Array.from({ length: 6 }, (_, i) => taker(`p${i}`, 'a', { container: `org/r${i}` }));
  const at = await openScene(redis.url, projects, () => platform, { window: () => window });
  const { look } = platform;
  platform.look = async (question, call) => {
    window = { ...window, remaining: 0 };
    return await look(question, call);
  };
  const passed = at.recovery().pass(openTerm());
  await until('some are asked', () => platform.questions.length > 0);
  await sleep(50, new AbortController().signal);
  expect(platform.questions.length).toBeLessThan(3);
  platform.look = look;
  window = { ...window, remaining: 1_000 };
  await passed;
  expect(platform.questions).toHaveLength(6);
});

test('a budget that runs out before its window delays the asking and does not stop it: there may be no polls', async () => {
  const platform = lossyPlatform(nothing);
  const anHourMs = 3_600_000;
  const window: BudgetWindow = { limit: 1_000, remaining: 500, resetMs: anHourMs, windowMs: anHourMs };
  const projects = Array.from({ length: 6 }, (_, i) => taker(`p${i}`, 'a', { container: `org/r${i}` }));
  const at = await openScene(redis.url, projects, () => platform, { window: () => window });
  await at.recovery({ missedScanMs: 50 }).pass(openTerm());
  expect(platform.questions).toHaveLength(6);
});

test('what a long gap has left comes in as one, and the others with the same credential have their turn meanwhile', async () => {
  const platform = lossyPlatform(nothing);
  const projects = ['api', 'b', 'c', 'd'].map((name) => taker(name, 'agent-smith', { container: `org/${name}` }));
  const at = await openScene(redis.url, projects, () => platform);
  const lost = Array.from({ length: 250 }, (_, i) => ({ id: `d${i}`, number: i + 1 }));
  const { look } = platform;
  platform.look = async (question, call) => {
    platform.lost = question.project.name === 'api' ? lost : [];
    return await look(question, call);
  };
  platform.again = sendTo(at);
  await at.recovery({ redeliveryPauseMs: 0 }).pass(openTerm());
  expect(platform.asked).toHaveLength(250);
  expect(gapLines(at).map(({ recovered }) => recovered)).toEqual([100, 100, 50]);
  const turns = platform.questions.map(({ project }) => project.name);
  expect(turns.toSorted()).toEqual(['api', 'api', 'api', 'b', 'c', 'd']);
  expect(turns.lastIndexOf('d')).toBeLessThan(turns.lastIndexOf('api'));
});

test('a list of deliveries that is longer than a listing of tickets is read to its end', async () => {
  const platform = lossyPlatform(nothing);
  const at = await openScene(redis.url, [taker('api')], () => platform);
  platform.lost = [{ id: 'd1', number: 1 }];
  platform.again = sendTo(at);
  const { look } = platform;
  platform.look = async (question, call) => {
    // Page after page, as a client reads them: it ends with the deadline.
    const isRead = await sleep(90, AbortSignal.any([call.signal, AbortSignal.timeout(call.deadlineMs)]));
    if (!isRead) throw new PlatformError('unavailable', 'not read in time');
    return await look(question, call);
  };
  await at.recovery({ listingDeadlineMs: 30 }).pass(openTerm());
  expect(gapLines(at)).toMatchObject([{ recovered: 1 }]);
});

test.each([
  ['has no listings', [], ['missed deliveries not asked for']],
  ['has listings, which tell of the outage', ['poll'] as const, []],
])('a platform that is away is told of when the project %s', async (_, more, told) => {
  const platform = lossyPlatform(nothing);
  const project = taker('api');
  const at = await openScene(
    redis.url,
    [{ ...project, triggers: new Set([...project.triggers, ...more]) }],
    () => platform,
  );
  platform.refusal = new PlatformError('unavailable', 'away');
  await at.recovery().pass(openTerm());
  expect(at.lines.map(({ msg }) => msg)).toEqual(told);
});

test('a pass that ends early leaves out others than the one before', async () => {
  const platform = lossyPlatform(nothing);
  const projects = ['a', 'b', 'c', 'd', 'e'].map((name) => taker(name, 'x', { container: `org/${name}` }));
  const at = await openScene(redis.url, projects, () => platform);
  const recovery = at.recovery();
  platform.refusal = new PlatformError('rate-limited', 'later');
  for (let pass = 0; pass < 3; pass += 1) await recovery.pass(openTerm());
  // Two at a time, until the limit is met.
  const asked = platform.questions.map(({ project }) => project.name);
  expect(new Set(asked.slice(0, 5)).size).toBe(5);
});

test('a credential that takes long keeps no other one waiting', async () => {
  const [slow, quick] = [lossyPlatform(nothing), lossyPlatform(nothing)];
  const over = new AbortController();
  onTestFinished(() => over.abort());
  const { look } = slow;
  slow.look = async (question, call) => {
    await sleep(60_000, over.signal);
    return await look(question, call);
  };
  const projects = [taker('slow', 'x', { host: 'slow.test' }), taker('quick', 'x', { container: 'org/quick' })];
  const at = await openScene(redis.url, projects, ({ name }) => (name === 'slow' ? slow : quick));
  const term = openTerm();
  const led = at.recovery({ missedScanMs: 5 }).lead(term);
  await until('the other one is asked again and again', () => quick.questions.length >= 3);
  term.end();
  over.abort();
  await led;
});

test('over a broken road one is sent as a test in each pass, and all that was lost once it is mended', async () => {
  const at = await api();
  const atMs = Date.now() - 3_600_000;
  at.platform.lost = Array.from({ length: 20 }, (_, i) => ({ id: `d${i}`, number: i, atMs }));
  const send = at.platform.again;
  at.platform.again = nothing;
  const recovery = at.recovery({ redeliveryWaitMs: 1 });
  for (let pass = 0; pass < 12; pass += 1) await recovery.pass(openTerm());
  expect(at.platform.asked).toHaveLength(12);
  expect(new Set(at.platform.asked).size).toBe(12);
  // That it goes on is told once.
  expect(gapLines(at)).toHaveLength(1);
  expect((await at.board.read()).get('api')).toMatchObject({ sinceMs: atMs, last: { notArrived: 1 } });

  at.platform.again = send;
  await recovery.pass(openTerm());
  expect(gapLines(at)[1]).toMatchObject({ recovered: 20, notArrived: 0 });
});

test('who could not reach a replica that had just started sends the same once more a tenth of a scan later', async () => {
  const at = await api();
  at.platform.lost = [{ id: 'd1' }];
  const send = at.platform.again;
  at.platform.again = async (lost, call) => (at.platform.asked.length < 2 ? undefined : await send(lost, call));
  const term = openTerm();
  const led = at.recovery({ redeliveryWaitMs: 1, missedScanMs: 300 }).lead(term);
  await until('it has arrived', () => gapLines(at).length === 2);
  term.end();
  await led;
  expect(at.platform.asked).toEqual(['d1', 'd1']);
  expect(gapLines(at).map(({ recovered, notArrived }) => [recovered, notArrived])).toEqual([
    [0, 1],
    [1, 0],
  ]);
});

test('the clock of the replica that leads does not matter', async () => {
  const at = await api();
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 3_600_000 });
  onTestFinished(() => void vi.useRealTimers());
  await at.recovery().pass(openTerm());
  vi.useRealTimers();
  expect((await at.board.read()).get('api')?.sinceMs).toBeCloseTo(Date.now() - 300_000, -4);
});

test('while Redis is away no source is asked in vain, and one line says so', async () => {
  const platform = lossyPlatform(nothing);
  const projects = Array.from({ length: 30 }, (_, i) => taker(`p${i}`, 'a', { container: `org/r${i}` }));
  const get = () => Promise.reject(new OperationError('read delivery', new Error('redis is unreachable')));
  const at = await openScene(redis.url, projects, () => platform, { records: { get } });
  platform.lost = [{ id: 'd1' }];
  await at.recovery().pass(openTerm());
  expect(platform.questions.length).toBeLessThan(4);
  expect(at.lines.length).toBeLessThan(4);
});
