/** How the emulator judges a JWT and what becomes of a token, in GitHub's words. */
import { generateKeyPairSync } from 'node:crypto';
import { expect, test } from 'vitest';
import { APP_ID, ask, jwtOf, runningEmulator } from './running-emulator.ts';

const NOW_MS = Date.parse('2026-11-20T12:00:00Z');
const NOW = NOW_MS / 1000;

const claims = { iss: APP_ID, iat: NOW - 30, exp: NOW + 570 };

test.each([
  ['by the number of the App', jwtOf(claims), 200, undefined],
  ['by a text with the number', jwtOf({ ...claims, iss: String(APP_ID) }), 200, undefined],
  ['by the client id', jwtOf({ ...claims, iss: `Iv1.${APP_ID}` }), 200, undefined],
  ['from the future', jwtOf({ ...claims, iat: NOW + 60 }), 401, "'Issued at' claim"],
  ['that has ended', jwtOf({ ...claims, exp: NOW }), 401, "'Expiration time' claim ('exp') must be"],
  ['that lives too long', jwtOf({ ...claims, exp: NOW + 601 }), 401, 'is too far in the future'],
  ['of another App', jwtOf({ ...claims, iss: 1 }), 401, "'Issuer' claim"],
  [
    'signed with another key',
    jwtOf(claims, generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey),
    401,
    'could not be decoded',
  ],
])('a JWT %s', async (_, jwt, status, message) => {
  const github = await runningEmulator({ nowMs: () => NOW_MS });
  const answer = await ask(github, jwt)('/app');
  expect(answer.status).toBe(status);
  const body = (await answer.json()) as { message?: string };
  expect(body.message ?? '').toContain(message ?? '');
});

test('an App cannot read issues as itself; its token can, for an hour', async () => {
  let nowMs = NOW_MS;
  const github = await runningEmulator({ nowMs: () => nowMs });
  github.openIssue('org/api');
  const asApp = ask(github, jwtOf(claims));
  expect((await asApp('/repos/org/api/issues/1')).status).toBe(401);
  const minted = await asApp('/app/installations/7/access_tokens', { method: 'POST' });
  const { token, expires_at } = (await minted.json()) as { token: string; expires_at: string };
  expect(expires_at).toBe('2026-11-20T13:00:00Z');
  const asInstallation = ask(github, token);
  expect((await asInstallation('/repos/org/api/issues/1')).status).toBe(200);
  nowMs += 3_600_000;
  expect((await asInstallation('/repos/org/api/issues/1')).status).toBe(401);
});
