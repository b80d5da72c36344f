/**
 * What is sent to webhook routes by those who know a secret and those who do not, on all four platforms over HTTP: whose
 * secret starts what, real payloads, published ones, and whatever else can be signed.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { EMULATED_PLATFORMS } from '../../src/emulators/sites.ts';
import type { WebhookDoor } from '../../src/ingress/deliveries/webhook-doors.ts';
import type { Rooms } from '../support/house.ts';
import { useRedis } from '../support/redis.ts';
import { type HookedTracker, hookedTrackers } from './hooked-trackers.ts';
import { doorTo, openStores, receiverOn } from './taken-deliveries.ts';
import { openRoutes, type PostAnswer } from './webhook-posts.ts';

const redis = useRedis();
let trackers: readonly HookedTracker[];

beforeAll(async () => {
  trackers = await hookedTrackers();
});

const trackerOf = (slug: string): HookedTracker =>
  trackers.find(({ platform }) => platform === slug) ?? expect.fail(`no tracker ${slug}`);

interface Sent {
  /** Undefined: without any proof. */
  readonly secret: string | undefined;
  /** In the path. */
  readonly project?: string;
  readonly body?: Buffer;
  readonly id?: string;
}

interface Scene {
  readonly rooms: Rooms;
  /** By default that the label was set. */
  send(tracker: HookedTracker, sent: Sent): Promise<PostAnswer>;
}

async function openScene(doors: readonly WebhookDoor[]): Promise<Scene> {
  const rooms = await openStores(redis.url);
  const { post } = await openRoutes(receiverOn(rooms, doors));
  return {
    rooms,
    send: (tracker, { secret, project, body = tracker.labeled, id }) =>
      post(`/webhook/${tracker.platform}${project === undefined ? '' : `/${project}`}`, {
        body,
        headers: tracker.headers(body, secret, id),
      }),
  };
}

async function projectsOf({ rooms }: Scene, { json }: PostAnswer): Promise<readonly string[] | undefined> {
  return (await rooms.deliveries.get(String(json['delivery'])))?.projects;
}

describe.each(EMULATED_PLATFORMS)('on %s', (slug) => {
  test('the secret of one project starts nothing in another one: not on the bare route, not on either of the named', async () => {
    const tracker = trackerOf(slug);
    const scene = await openScene([
      doorTo(tracker, 'a', ['secret-of-a'], tracker.elsewhere),
      doorTo(tracker, 'b', ['secret-of-b']),
    ]);
    const forged = { secret: 'secret-of-a' };
    const ignored = { status: 200, json: { state: 'ignored', reason: 'no-project' } };
    expect(await scene.send(tracker, forged)).toMatchObject(ignored);
    expect(await scene.send(tracker, { ...forged, project: 'a', id: 'delivery-2' })).toMatchObject({ status: 200 });
    expect(await scene.send(tracker, { ...forged, project: 'b' })).toMatchObject({ status: 401 });
    expect(await scene.rooms.deliveries.depth()).toBe(0);
    // Nor can what was forged keep the real one out.
    const real = await scene.send(tracker, { secret: 'secret-of-b' });
    expect(real).toMatchObject({ status: 202 });
    expect(await projectsOf(scene, real)).toEqual(['b']);
    expect(await scene.rooms.deliveries.depth()).toBe(1);
  });

  test('two projects on one place are reached by the secret of each alone, and by one that they share', async () => {
    const tracker = trackerOf(slug);
    const scene = await openScene([
      doorTo(tracker, 'a', ['secret-of-a', 'shared']),
      doorTo(tracker, 'b', ['secret-of-b', 'shared']),
    ]);
    for (const [secret, project, reached] of [
      ['secret-of-a', undefined, ['a']],
      ['secret-of-b', undefined, ['b']],
      ['shared', undefined, ['a', 'b']],
      ['shared', 'b', ['b']],
    ] as const) {
      await redis.client.flushall();
      const answer = await scene.send(tracker, { secret, ...(project && { project }) });
      expect([answer.status, await projectsOf(scene, answer)]).toEqual([202, reached]);
    }
  });

  test('every secret is tried, whichever is right, and none twice', async () => {
    const tracker = trackerOf(slug);
    const tried: string[] = [];
    const dialect: typeof tracker.dialect = {
      ...tracker.dialect,
      provesSecret(request, secret) {
        tried.push(secret);
        return tracker.dialect.provesSecret(request, secret);
      },
    };
    const scene = await openScene([
      doorTo({ ...tracker, dialect }, 'a', ['new', 'old']),
      doorTo({ ...tracker, dialect }, 'b', ['other', 'old']),
    ]);
    for (const [secret, status] of [
      ['new', 202],
      ['old', 202],
      ['other', 202],
      ['wrong', 401],
      [undefined, 401],
    ] as const) {
      tried.length = 0;
      await redis.client.flushall();
      expect(await scene.send(tracker, { secret })).toMatchObject({ status });
      expect(tried).toEqual(['new', 'old', 'other']);
    }
  });

  test('without proof it is 401 whatever it says, and nothing is written', async () => {
    const tracker = trackerOf(slug);
    const scene = await openScene([doorTo(tracker, 'a', ['secret-of-a']), doorTo(tracker, 'none', [])]);
    for (const secret of [undefined, '', 'wrong', 'secret-of-b', 'SECRET-OF-A']) {
      for (const project of [undefined, 'a', 'none']) {
        const body = Buffer.from(secret === 'wrong' ? 'no JSON' : tracker.labeled);
        expect(await scene.send(tracker, { secret, body, ...(project && { project }) })).toMatchObject({ status: 401 });
      }
    }
    expect(await redis.client.keys('agentsmith:delivery*')).toEqual([]);
  });

  test('without an id it is 400 where the platform always gives one; elsewhere the id is made of the payload, and the record says so', async () => {
    const tracker = trackerOf(slug);
    const scene = await openScene([doorTo(tracker, 'a', ['secret-of-a'])]);
    const bodyWithout = (more: object): Buffer => {
      const { id: _, ...payload } = JSON.parse(tracker.labeled.toString()) as Record<string, unknown>;
      return Buffer.from(JSON.stringify({ ...payload, ...more }));
    };
    const send = (more = {}) => scene.send(tracker, { secret: 'secret-of-a', id: '', body: bodyWithout(more) });
    const first = await send();
    if (['github', 'jira'].includes(slug)) {
      expect(first).toMatchObject({ status: 400, json: { error: 'the delivery id is missing' } });
      expect(await redis.client.keys('agentsmith:delivery*')).toEqual([]);
      return;
    }
    expect(first.status).toBe(202);
    expect(await scene.rooms.deliveries.get(String(first.json['delivery']))).toMatchObject({ derived: true });
    expect(await send()).toMatchObject({ status: 200, json: { delivery: first.json['delivery'], duplicate: true } });
    expect((await send({ another: 'payload' })).status).toBe(202);
  });

  test('an event that means nothing to us is on record as ignored, and is 200', async () => {
    const tracker = trackerOf(slug);
    const scene = await openScene([doorTo(tracker, 'a', ['secret-of-a'])]);
    const body = Buffer.from('{"something":"else"}');
    const answer = await scene.send(tracker, { secret: 'secret-of-a', body });
    expect(answer).toMatchObject({ status: 200, json: { state: 'ignored', reason: expect.any(String) as string } });
    expect(await scene.rooms.deliveries.get(String(answer.json['delivery']))).toMatchObject({ state: 'ignored' });
    expect(await scene.rooms.deliveries.depth()).toBe(0);
  });
});

interface Example {
  readonly name: string;
  readonly examples: readonly object[];
}

test('every published example of GitHub is answered 200 or 202, and is on record', async () => {
  const file = createRequire(import.meta.url).resolve('@octokit/webhooks-examples');
  const published = (JSON.parse(readFileSync(file, 'utf8')) as readonly Example[]).flatMap(({ name, examples }) =>
    examples.map((example) => ({ name, body: Buffer.from(JSON.stringify(example)) })),
  );
  expect(published.length).toBeGreaterThan(300);
  const tracker = trackerOf('github');
  const source = { ...tracker.source, host: 'github.com', container: 'Codertocat/Hello-World' };
  const rooms = await openStores(redis.url);
  const { post } = await openRoutes(receiverOn(rooms, [doorTo({ ...tracker, source }, 'hello', ['secret'])]));
  const answers = await Promise.all(
    published.map(({ name, body }, i) =>
      post('/webhook/github', {
        body,
        headers: { ...tracker.headers(body, 'secret', `example-${i}`), 'x-github-event': name },
      }),
    ),
  );
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 202]));
  for (const [i, { name }] of published.entries()) {
    const { status, json } = answers[i] ?? expect.fail();
    const state = status === 202 ? 'received' : 'ignored';
    expect(await redis.client.hmget(`agentsmith:delivery:${String(json['delivery'])}`, 'event', 'state')).toEqual([
      name,
      state,
    ]);
  }
});

/** Names that payloads of the four use, and those that could do harm. */
const KEYS =
  `action issue repository label comment pull_request installation object_kind object_attributes project labels
  changes merge_request eventType resource resourceContainers subscriptionId id fields revision workItemId webhookEvent
  matchedWebhookIds changelog items self body __proto__ constructor prototype toString hasOwnProperty then`.split(
    /\s+/,
  );
const HARMFUL = '{"polluted":true,"toString":null,"constructor":{"prototype":{"polluted":true}}}';

const value = fc.oneof(
  fc.constantFrom('null', '[]', '{}', '""', '1e999', '-0', '123456789012345678901234567890', '1.5', HARMFUL),
  fc.string({ unit: 'binary' }).map((text) => JSON.stringify(text)),
  fc.json({ maxDepth: 3 }),
);
/** Several times the same key included. */
const odd = fc
  .array(fc.tuple(fc.constantFrom(...KEYS), value), { maxLength: 12 })
  .map((entries) => `{${entries.map(([key, text]) => `${JSON.stringify(key)}:${text}`).join()}}`);
const deep = fc
  .record({ key: fc.constantFrom(...KEYS), depth: fc.integer({ min: 100, max: 8_000 }), list: fc.boolean() })
  .map(({ key, depth, list }) => {
    const [open, close] = list ? ['[', ']'] : [`{${JSON.stringify(key)}:`, '}'];
    return `{${JSON.stringify(key)}:${open.repeat(depth)}1${close.repeat(depth)}}`;
  });

/** A real payload in which some values are others. */
function mutated(payload: string): fc.Arbitrary<string> {
  const values = [...payload.matchAll(/(?<="(?:[^"\\]|\\.)*":\s*)(?:"(?:[^"\\]|\\.)*"|-?\d+|null|true|false|\[|\{)/g)];
  const change = fc.tuple(fc.nat(values.length - 1), value);
  return fc.array(change, { minLength: 1, maxLength: 4 }).map((changes) => {
    let text = payload;
    for (const [at, instead] of changes.toSorted(([one], [other]) => other - one)) {
      const { index = 0, 0: found = '' } = values[at] ?? {};
      // Before a list or an object: the key is there twice then, once with each.
      const isOpening = found === '[' || found === '{';
      const key = /"(?:[^"\\]|\\.)*":\s*$/.exec(text.slice(0, index))?.[0] ?? '';
      text =
        text.slice(0, index) +
        instead +
        (isOpening ? `,${key}` : '') +
        text.slice(index + (isOpening ? 0 : found.length));
    }
    return text;
  });
}

test.each(EMULATED_PLATFORMS)('whatever is signed and sent to %s is answered, and harms nothing', async (slug) => {
  const tracker = trackerOf(slug);
  const scene = await openScene([doorTo(tracker, 'a', ['secret'])]);
  const before = Reflect.ownKeys(Object.prototype);
  const body = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc.oneof(odd, deep, fc.json()),
    mutated(tracker.labeled.toString()),
  );
  const statuses = new Set<number>();
  await fc.assert(
    fc.asyncProperty(body, fc.boolean(), fc.uuid(), async (sent, named, id) => {
      const { status, json } = await scene.send(tracker, {
        body: Buffer.from(sent),
        secret: 'secret',
        id,
        ...(named && { project: 'a' }),
      });
      statuses.add(status);
      expect([200, 202, 400]).toContain(status);
      expect(json).toEqual(
        expect.objectContaining(status === 400 ? { error: expect.any(String) } : { state: expect.any(String) }),
      );
      expect({}).not.toHaveProperty('polluted');
    }),
    { numRuns: 200 },
  );
  expect(statuses).toEqual(new Set([200, 202, 400]));
  expect(Reflect.ownKeys(Object.prototype)).toEqual(before);
  expect(await scene.send(tracker, { secret: 'secret', id: 'the-last-one' })).toMatchObject({
    json: { delivery: expect.any(String) as string },
  });
});
