/**
 * From the `auth:` of a project to its credential: the project's own, or for `auth: token` the platform's variables. A
 * credential that cannot be used turns off its project alone, with a reason that names the variable or the key.
 */
import { createHash } from 'node:crypto';
import path from 'node:path';
import { unreachable } from '../foundation/errors.ts';
import type { Credential, PlatformDescriptor, TicketsConfig } from '../platforms/descriptor.ts';
import type { Environment } from './expand.ts';

export type CredentialState =
  | { readonly ok: true; readonly credential: Credential }
  /** Which variable or key is missing or wrong. */
  | { readonly ok: false; readonly reason: string };

/** The keys of a mapping under `auth:`, as the schemas of the platforms spell them. */
type Auth = Readonly<Partial<Record<AuthKey, string>>>;

type AuthKey =
  | 'token'
  | 'email'
  | 'app_id'
  | 'installation_id'
  | 'private_key_file'
  | 'tenant_id'
  | 'client_id'
  | 'client_secret'
  | 'authority_url';

const ENTRA_AUTHORITY = 'https://login.microsoftonline.com';

/** @param directory where the path of a key file starts. */
export function resolveCredential(
  descriptor: PlatformDescriptor,
  tickets: TicketsConfig,
  env: Environment,
  directory: string,
): CredentialState {
  if (typeof tickets.auth !== 'object' || tickets.auth === null) return fromEnvironment(descriptor, tickets, env);
  const auth = tickets.auth as Auth;
  if (auth.private_key_file !== undefined) return ofApp(auth, auth.private_key_file, directory);
  if (auth.client_secret !== undefined) return ofEntra(auth, auth.client_secret);
  return ofToken(descriptor, tickets, {
    token: auth.token,
    email: auth.email,
    noToken: 'auth.token is empty',
    noEmail: auth.email === undefined ? 'auth.email is missing' : 'auth.email is empty',
  });
}

function fromEnvironment(descriptor: PlatformDescriptor, tickets: TicketsConfig, env: Environment): CredentialState {
  const { token, email = 'the email' } = descriptor.environment;
  // The variable may be there for other projects: where a token is enough, a Jira Data Center say, it says nothing.
  const takesEmail = descriptor.needsEmail?.(tickets) === true;
  return ofToken(descriptor, tickets, {
    token: env[token],
    email: takesEmail ? env[email] : undefined,
    noToken: `${token} is not set`,
    noEmail: `${email} is not set`,
  });
}

interface TokenParts {
  readonly token: string | undefined;
  readonly email: string | undefined;
  /** Reasons. */
  readonly noToken: string;
  readonly noEmail: string;
}

function ofToken(descriptor: PlatformDescriptor, tickets: TicketsConfig, parts: TokenParts): CredentialState {
  // A secret that was mounted from a file often ends in a line break, and no token has blanks around it.
  const [token = '', email = ''] = [parts.token?.trim(), parts.email?.trim()];
  if (token === '') return { ok: false, reason: parts.noToken };
  if (descriptor.needsEmail?.(tickets) === true) {
    if (email === '') return { ok: false, reason: parts.noEmail };
    return { ok: true, credential: { kind: 'basic', email, token } };
  }
  if (email !== '') return { ok: false, reason: 'auth.email is not used here: this platform takes the token alone' };
  return { ok: true, credential: { kind: 'token', token } };
}

function ofApp(auth: Auth, keyFile: string, directory: string): CredentialState {
  const { app_id: appId = '', installation_id: installationId = '' } = auth;
  const empty = (['app_id', 'installation_id', 'private_key_file'] as const).find((key) => (auth[key] ?? '') === '');
  if (empty !== undefined) return { ok: false, reason: `auth.${empty} is empty` };
  const privateKeyFile = path.resolve(directory, keyFile);
  return { ok: true, credential: { kind: 'app', appId, installationId, privateKeyFile } };
}

function ofEntra(auth: Auth, secret: string): CredentialState {
  const { tenant_id: tenantId = '', client_id: clientId = '', authority_url: authorityUrl = ENTRA_AUTHORITY } = auth;
  const clientSecret = secret.trim();
  if (clientSecret === '') return { ok: false, reason: 'auth.client_secret is empty' };
  if (!/^https?:$/.test(URL.parse(authorityUrl)?.protocol ?? '')) {
    return { ok: false, reason: `auth.authority_url must be an address such as ${ENTRA_AUTHORITY}` };
  }
  return { ok: true, credential: { kind: 'entra', tenantId, clientId, clientSecret, authorityUrl } };
}

/** Tells credentials apart without showing them: projects with the same name share one API budget. */
export function credentialName(platform: string, host: string, credential: Credential): string {
  const proof = proofOf(credential);
  return `${platform}~${host}~${createHash('sha256').update(proof).digest('hex').slice(0, 12)}`;
}

/** What a credential is told apart by; may be the secret itself. */
function proofOf(credential: Credential): string {
  switch (credential.kind) {
    case 'token':
    case 'basic':
      return credential.token;
    case 'app':
      return `${credential.appId}/${credential.installationId}`;
    case 'entra':
      return `${credential.tenantId}/${credential.clientId}`;
    default:
      return unreachable(credential);
  }
}

/** The secret as it stands in the configuration, and in every form in which it is sent. */
export function secretForms(credential: Credential): string[] {
  switch (credential.kind) {
    case 'token':
      // Azure DevOps takes a token as the password of nobody, GitLab and GitHub of anybody.
      return [credential.token, basic('', credential.token)];
    case 'basic':
      return [credential.token, basic(credential.email, credential.token)];
    case 'entra':
      return [credential.clientSecret, new URLSearchParams([['', credential.clientSecret]]).toString().slice(1)];
    case 'app':
      // The key is in a file that nobody else reads; its tokens are told by the adapter.
      return [];
    default:
      return unreachable(credential);
  }
}

const basic = (user: string, password: string): string => Buffer.from(`${user}:${password}`).toString('base64');
