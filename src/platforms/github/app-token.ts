/**
 * A GitHub App signs in twice: as itself by a JWT, made here from its private key, and with that as one installation,
 * by a token that GitHub hands out for an hour.
 *
 * Of `@octokit/auth-app` only the JWT is used. Its own installation tokens are not for us: requests under way are
 * kept in one map for the whole process by the number of the installation alone, so that number 7 of one server could be
 * handed the token of number 7 of another; and its cache believes the wall clock.
 *
 * All operations on one credential share one token. The request for a new one belongs to all who wait for it: it goes on
 * while one of them still does, and each waits no longer than its own deadline.
 */
import { createPrivateKey } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createAppAuth } from '@octokit/auth-app';
import { z } from 'zod';
import type { TicketSource } from '../../domain/ticket.ts';
import { elapsedMs, type Moment, now } from '../../foundation/clock.ts';
import { messageOf } from '../../foundation/errors.ts';
import { type Call, PlatformError } from '../contract.ts';
import type { Credential } from '../descriptor.ts';
import type { Dialect } from '../error-kinds.ts';
import { serverTimeMs } from '../limit-headers.ts';
import type { Session } from '../session.ts';
import type { Transport } from '../transport.ts';
import { githubDialect } from './errors.ts';
import { openOctokit } from './octokit.ts';

export interface GitHubApp {
  readonly installationId: number;
  /** An installation token with minutes left to live. Throws errors of the session. */
  token(session: Session, call: Call): Promise<string>;
  /** GitHub has refused this token, before its time: the next operation asks for another one. */
  drop(token: string): void;
  /** Signs in as the App itself. Made anew each time, so a key that was replaced is in use at once. */
  jwt(session: Session): Promise<string>;
}

type AppCredential = Extract<Credential, { kind: 'app' }>;

interface InstallationToken {
  readonly token: string;
  readonly obtainedAt: Moment;
  readonly renewAfterMs: number;
}

interface Renewal {
  readonly result: Promise<InstallationToken>;
  readonly ending: AbortController;
  waiting: number;
}

/** Longer than any operation: what began with a token also ends with it. */
const RENEW_BEFORE_END_MS = 5 * 60_000;

/** What the App asks as itself is counted apart from its installation, whose budget is the one that matters. */
const APP_DIALECT: Dialect = { kind: (status, data) => githubDialect.kind?.(status, data) };

const tokenSchema = z.object({ token: z.string().min(1), expires_at: z.iso.datetime({ offset: true }) });

/** What all projects on the credential share; kept by the transport. */
const createState = (): { current?: InstallationToken | undefined; renewal?: Renewal | undefined } => ({});

/** @throws PlatformError `auth` when the id of the installation is no number. */
export function createGitHubApp(credential: AppCredential, source: TicketSource, transport: Transport): GitHubApp {
  const state = transport.shared(createState);
  const installationId = Number(credential.installationId);
  if (!Number.isSafeInteger(installationId) || installationId < 1) {
    const problem = `connect ${source.container}: auth.installation_id must be the number of an installation`;
    throw new PlatformError('auth', problem, { effect: 'none' });
  }

  const jwt = async (session: Session): Promise<string> => {
    const privateKey = await readPrivateKey(credential.privateKeyFile).catch((error: unknown) => {
      throw session.error('auth', `private_key_file ${credential.privateKeyFile} ${messageOf(error)}`);
    });
    const { token } = await createAppAuth({ appId: credential.appId, privateKey })({ type: 'app' });
    transport.learnSecret(token);
    return token;
  };

  const obtain = (call: Call): Promise<InstallationToken> => {
    const operation = { name: `ask for a token of installation ${installationId}`, call, dialect: APP_DIALECT };
    return transport.run(operation, async (session) => {
      const obtainedAt = now();
      const octokit = openOctokit(session, source.apiUrl, { token: () => jwt(session) });
      const { data, headers } = await octokit.rest.apps.createInstallationAccessToken({
        installation_id: installationId,
      });
      const { token, expires_at } = session.read(tokenSchema, data);
      transport.learnSecret(token);
      // By the server's own clock: ours may be wrong.
      const livesMs = Date.parse(expires_at) - serverTimeMs(new Headers({ date: headers.date ?? '' }));
      return { token, obtainedAt, renewAfterMs: Math.max(livesMs / 2, livesMs - RENEW_BEFORE_END_MS) };
    });
  };

  const renew = (call: Call): Renewal => {
    const ending = new AbortController();
    const result = obtain({ ...call, signal: ending.signal }).then((obtained) => (state.current = obtained));
    return { result, ending, waiting: 0 };
  };

  const leave = (renewal: Renewal): void => {
    renewal.waiting -= 1;
    if (renewal.waiting > 0) return;
    if (state.renewal === renewal) state.renewal = undefined;
    renewal.ending.abort('nobody waits for the token any more');
  };

  return {
    installationId,
    jwt,
    async token(session, call) {
      const { current } = state;
      if (current !== undefined && elapsedMs(current.obtainedAt) < current.renewAfterMs) return current.token;
      const renewal = (state.renewal ??= renew(call));
      renewal.waiting += 1;
      try {
        const { token } = await Promise.race([renewal.result, abortion(session.signal)]);
        return token;
      } catch (error) {
        throw failureFor(session, error);
      } finally {
        leave(renewal);
      }
    },
    drop(token) {
      if (state.current?.token === token) state.current = undefined;
    },
  };
}

/** PKCS#1, as GitHub hands it out, or PKCS#8; answered as PKCS#8. Throws what is wrong with it, in words. */
async function readPrivateKey(file: string): Promise<string> {
  const pem = await readFile(file, 'utf8').catch((error: unknown) => {
    throw new Error(`cannot be read: ${codeOf(error)}`, { cause: error });
  });
  const key = parsePrivateKey(pem);
  if (key?.asymmetricKeyType !== 'rsa') throw new Error('holds no RSA private key in PEM form without a passphrase');
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}

function parsePrivateKey(pem: string) {
  try {
    return createPrivateKey(pem);
  } catch {
    return undefined; // OpenSSL's words for it help nobody.
  }
}

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : messageOf(error);

function abortion(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const give = (): void => reject(new Error(`waited for a token in vain: ${messageOf(signal.reason)}`));
    if (signal.aborted) give();
    signal.addEventListener('abort', give, { once: true });
  });
}

/**
 * The shared failure as an error of the operation that needed the token: it has written nothing, and an installation
 * that is not there is no ticket that is not there.
 */
function failureFor(session: Session, error: unknown): PlatformError {
  if (!(error instanceof PlatformError)) {
    return session.error('unavailable', messageOf(error), { effect: 'none', cause: error });
  }
  const { kind, status, retryAfterMs, message } = error;
  return session.error(kind === 'not-found' ? 'auth' : kind, message, {
    ...(status !== undefined && { status }),
    ...(retryAfterMs !== undefined && { retryAfterMs }),
    cause: error,
  });
}
