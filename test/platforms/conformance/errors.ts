/** Errors by kind, never as "no tickets"; ends in time; and no secret in what is thrown or told. */
import { expect, test } from 'vitest';
import type { Fault } from '../../../src/emulators/faults.ts';
import type { PlatformErrorKind } from '../../../src/platforms/contract.ts';
import { createRateLimits } from '../../../src/platforms/rate-limits.ts';
import type { RequestFacts } from '../../../src/platforms/session.ts';
import { json, startLoopbackServer } from '../../support/loopback-server.ts';
import { movableClock } from '../../support/movable-clock.ts';
import { callOf, failure, freshLabel, read, requestsDuring, revealed } from './calls.ts';
import type { At, Run } from './stages.ts';

const JSON_TYPE = { 'content-type': 'application/json' };

const FAULTS: Readonly<Record<string, readonly [Fault, PlatformErrorKind]>> = {
  '401': [{ kind: 'answer', status: 401 }, 'auth'],
  '403': [{ kind: 'answer', status: 403 }, 'auth'],
  '404': [{ kind: 'answer', status: 404 }, 'not-found'],
  '404 from a proxy': [{ kind: 'answer', status: 404, body: 'default backend - 404' }, 'invalid-response'],
  '500': [{ kind: 'answer', status: 500 }, 'unavailable'],
  '502': [{ kind: 'answer', status: 502, body: '<h1>Bad gateway</h1>' }, 'unavailable'],
  '503': [{ kind: 'answer', status: 503, body: 'try later' }, 'unavailable'],
  'an HTML page': [{ kind: 'html' }, 'invalid-response'],
  'HTML said to be JSON': [{ kind: 'answer', status: 200, body: '<html>', headers: JSON_TYPE }, 'invalid-response'],
  'broken JSON': [{ kind: 'answer', status: 200, body: '{"id": 1, "iss', headers: JSON_TYPE }, 'invalid-response'],
  'another object': [{ kind: 'answer', status: 200, body: { unexpected: true } }, 'invalid-response'],
  'a list of other things': [{ kind: 'answer', status: 200, body: [{ unexpected: true }] }, 'invalid-response'],
  null: [{ kind: 'answer', status: 200, body: 'null', headers: JSON_TYPE }, 'invalid-response'],
  'an empty answer': [{ kind: 'answer', status: 200, body: '', headers: JSON_TYPE }, 'invalid-response'],
  'a cut connection': [{ kind: 'cut' }, 'unavailable'],
  'a cut inside the body': [{ kind: 'cut-inside-body' }, 'unavailable'],
};

export function errors(at: At, { open }: Run): void {
  const readSome = () => read(at().platform, at().project.openTicket().id);
  const listSome = (call = callOf()) =>
    at().platform.listTickets({ labels: [freshLabel()], state: 'open' }, undefined, call);

  test.each(Object.entries(FAULTS))(
    '%s is an error by kind, for a ticket as for a listing',
    async (_, [fault, kind]) => {
      const { server, secret } = at();
      // What an adapter learns once about its server it may keep; here the question itself is at stake.
      await Promise.all([readSome(), listSome()]);
      server.faults.inject({}, fault);
      expect(await failure(readSome(), secret)).toMatchObject({ kind, effect: 'none' });
      expect(await failure(listSome(), secret)).toMatchObject({ kind });
    },
  );

  test('a credential that the platform does not know is an auth error', async () => {
    const { stranger, project, secret } = at();
    const { id } = project.openTicket();
    expect(await failure(read(stranger, id), secret)).toMatchObject({ kind: 'auth', effect: 'none' });
    const listed = stranger.listTickets({ labels: ['bug'], state: 'open' }, undefined, callOf());
    expect(await failure(listed, secret)).toMatchObject({ kind: 'auth' });
  });

  test.each([{ retryAfterSeconds: 30 }, {}])(
    'a limit (%o) is told with its time, and until then nothing is sent',
    async (limit) => {
      const time = movableClock();
      await using stage = await open({ limits: createRateLimits(time.clock) });
      const { platform, project, server, secret } = stage;
      const { id } = project.openTicket({ labels: ['bug'] });
      const seen = await read(platform, id);
      stage.limit(limit);
      const limited = await failure(read(platform, id), secret);
      expect(limited).toMatchObject({ kind: 'rate-limited', effect: 'none' });
      const waitMs = limited.retryAfterMs ?? 0;
      if (limit.retryAfterSeconds === undefined) expect(waitMs).toBeGreaterThan(0);
      else expect(waitMs).toBe(30_000);

      time.pass(waitMs - 1);
      const calls = [
        () => read(platform, id),
        () => platform.listTickets({ labels: ['bug'], state: 'open' }, undefined, callOf()),
        () => platform.moveLifecycle(seen, 'enqueued', callOf()),
        () => platform.comment(id, { markdown: 'Done.', marker: '<!-- m -->' }, callOf()),
      ];
      const sent = await requestsDuring(server, async () => {
        for (const call of calls) {
          expect(await failure(call(), secret)).toMatchObject({
            kind: 'rate-limited',
            effect: 'none',
            retryAfterMs: 1,
          });
        }
      });
      expect(sent).toEqual([]);
      time.pass(1);
      expect(await read(platform, id)).toMatchObject({ id });
    },
  );

  test('a server that hangs is left at the deadline', async () => {
    const { server, secret } = at();
    await listSome();
    const hung = server.faults.inject({}, { kind: 'hang' });
    const error = await failure(listSome(callOf({ deadlineMs: 60 })), secret);
    expect(error).toMatchObject({ kind: 'unavailable' });
    const target = await hung.hit();
    await server.ledger.waitFor(
      (entry) => entry.kind === 'request' && entry.path === target.path && entry.outcome === 'abandoned',
    );
  });

  test('whoever gives up is not kept waiting', async () => {
    const { server, secret } = at();
    const hung = server.faults.inject({}, { kind: 'hang' });
    const giveUp = new AbortController();
    const listed = listSome(callOf({ deadlineMs: 60_000, signal: giveUp.signal }));
    await hung.hit();
    giveUp.abort();
    expect(await failure(listed, secret)).toMatchObject({ kind: 'unavailable' });
    const sent = await requestsDuring(server, async () => {
      expect(await failure(listSome(callOf({ signal: giveUp.signal })), secret)).toMatchObject({ kind: 'unavailable' });
    });
    expect(sent).toEqual([]);
  });

  test('a redirect to another origin is not followed, and the credential stays here', async () => {
    await using other = await startLoopbackServer((_, response) => json(response, 200, []));
    const { server, secret } = at();
    server.faults.inject({}, { kind: 'redirect', location: `${other.origin}/elsewhere`, status: 307 });
    expect(await failure(listSome(), secret)).toMatchObject({ kind: 'invalid-response' });
    expect(await failure(readSome(), secret)).toMatchObject({ kind: 'invalid-response' });
    expect(other.requests).toEqual([]);
  });

  test('what is told of each request names the credential and never shows it', async () => {
    const told: RequestFacts[] = [];
    await using stage = await open({ onRequest: (facts) => told.push(facts) });
    const { id } = stage.project.openTicket({ labels: ['bug'] });
    const sent = await requestsDuring(stage.server, async () => {
      await stage.platform.moveLifecycle(await read(stage.platform, id), 'enqueued', callOf({ purpose: 'label' }));
      stage.server.faults.inject({}, { kind: 'answer', status: 500 });
      await failure(read(stage.platform, id), stage.secret);
    });
    expect(told).toHaveLength(sent.length);
    expect(told.at(-1)).toMatchObject({ status: 500, kind: 'unavailable', purpose: 'claim' });
    expect(revealed(told, stage.secret)).toEqual([]);
  });
}
