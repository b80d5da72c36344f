/** The `Authorization` header of a credential: a personal access token, a bearer token as it is, or one from Entra. */
import { type Call, PlatformError } from '../contract.ts';
import type { ConnectOptions, Credential } from '../descriptor.ts';
import type { Session } from '../session.ts';
import { createEntraToken } from './entra.ts';

export interface SignIn {
  header(session: Session, call: Call): Promise<string>;
  /** Azure DevOps has refused a request with this header. */
  refused(header: string): void;
}

/** @throws PlatformError `unsupported` for a credential that Azure DevOps does not take. */
export function createSignIn({ credential, transport, source }: Omit<ConnectOptions, 'tickets'>): SignIn {
  switch (credential.kind) {
    case 'token':
      return { header: () => Promise.resolve(headerOf(credential)), refused() {} };
    case 'entra': {
      const token = createEntraToken(credential, transport);
      return {
        header: async (session, call) => `Bearer ${await token.get(session, call)}`,
        refused: (header) => token.drop(header.slice('Bearer '.length)),
      };
    }
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
