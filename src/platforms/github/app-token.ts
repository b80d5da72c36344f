/**
 * A GitHub App signs in twice: as itself by a JWT, made here from its private key, and with that as one installation,
 * by a token that GitHub hands out for an hour.
 *
 * Of `@octokit/auth-app` only the JWT is used. Its own installation tokens are not for us: requests under way are
 * kept in one map for the whole process by the number of the installation alone, so that number 7 of one server could be
 * handed the token of number 7 of another; and its cache believes the wall clock.
 */
import { createPrivateKey } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createAppAuth } from '@octokit/auth-app';
import { z } from 'zod';
import type { TicketSource } from '../../domain/ticket.ts';
import { messageOf } from '../../foundation/errors.ts';
import { PlatformError } from '../contract.ts';
import type { Credential } from '../descriptor.ts';
import type { Dialect } from '../error-kinds.ts';
import { serverTimeMs } from '../limit-headers.ts';
import type { Session } from '../session.ts';
import { createShortLivedToken, type ObtainToken, type ShortLivedToken } from '../short-lived-token.ts';
import type { Transport } from '../transport.ts';
import { githubDialect } from './errors.ts';
import { openOctokit } from './octokit.ts';

export interface GitHubApp {
  readonly installationId: number;
  /** The token of the installation. */
  readonly token: ShortLivedToken;
  /** Signs in as the App itself. Made anew each time, so a key that was replaced is in use at once. */
  jwt(session: Session): Promise<string>;
}

type AppCredential = Extract<Credential, { kind: 'app' }>;

/** What the App asks as itself is counted apart from its installation, whose budget is the one that matters. */
const APP_DIALECT: Dialect = { kind: (status, data) => githubDialect.kind?.(status, data) };

const tokenSchema = z.object({ token: z.string().min(1), expires_at: z.iso.datetime({ offset: true }) });

/** @throws PlatformError `auth` when the id of the installation is no number. */
export function createGitHubApp(credential: AppCredential, source: TicketSource, transport: Transport): GitHubApp {
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

  const obtain: ObtainToken = (call) => {
    const operation = { name: `ask for a token of installation ${installationId}`, call, dialect: APP_DIALECT };
    return transport.run(operation, async (session) => {
      const octokit = openOctokit(session, source.apiUrl, { token: () => jwt(session) });
      const { data, headers } = await octokit.rest.apps.createInstallationAccessToken({
        installation_id: installationId,
      });
      const { token, expires_at } = session.read(tokenSchema, data);
      // By the server's own clock: ours may be wrong.
      const livesMs = Date.parse(expires_at) - serverTimeMs(new Headers({ date: headers.date ?? '' }));
      return { token, livesMs };
    });
  };

  return { installationId, jwt, token: createShortLivedToken(transport, obtain) };
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
