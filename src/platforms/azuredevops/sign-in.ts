/** The `Authorization` header of a credential: a personal access token, a bearer token as it is, or one from Entra. */
import { PlatformError } from '../contract.ts';
import type { ConnectOptions, Credential } from '../descriptor.ts';
import type { Session } from '../session.ts';
import { createEntraSignIn } from './entra.ts';

export interface SignIn {
  header(session: Session): Promise<string>;
  /** What became of a request with the current header: an adapter tells, so that a revoked token is replaced. */
  heard(outcome: 'accepted' | 'refused'): void;
}

/** @throws PlatformError `unsupported` for a credential that Azure DevOps does not take. */
export function createSignIn({ credential, transport, source }: Omit<ConnectOptions, 'tickets'>): SignIn {
  switch (credential.kind) {
    case 'token':
      return { header: () => Promise.resolve(headerOf(credential)), heard() {} };
    case 'entra':
      return createEntraSignIn(credential, transport);
    case 'basic':
    case 'app':
      throw new PlatformError('unsupported', `connect ${source.container}: Azure DevOps takes a token or Entra`, {
        effect: 'none',
      });
    default:
      return credential satisfies never;
  }
}

/** Three parts in base64url of which the first is a JSON object: a JWT, which a personal access token never is. */
const JWT = /^eyJ[\w-]*\.[\w-]+\.[\w-]*$/;

function headerOf({ token }: Extract<Credential, { kind: 'token' }>): string {
  // A personal access token is a password without a user.
  return JWT.test(token) ? `Bearer ${token}` : `Basic ${Buffer.from(`:${token}`).toString('base64')}`;
}
