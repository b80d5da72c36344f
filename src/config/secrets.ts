/**
 * Everything secret that a configuration holds, in one place and behind functions: whoever prints or serialises a
 * config by accident gets no secret, because functions have no text.
 */
import { createHash } from 'node:crypto';
import path from 'node:path';
import type { Credential, PlatformDescriptor, TicketsConfig } from '../platforms/descriptor.ts';
import type { Environment } from './expand.ts';
import type { PipelineConfig } from './schema.ts';

export type CredentialState =
  | { readonly ok: true; readonly credential: Credential }
  /** Which variable or key is missing. */
  | { readonly ok: false; readonly reason: string };

export interface ProjectSecrets {
  readonly credential: CredentialState;
  /** Newest first; empty = no signed webhooks. */
  readonly webhookSecrets: readonly string[];
}

export interface Secrets {
  /** `REDIS_URL`; undefined when it is unset or empty. */
  redisUrl(): string | undefined;
  /** `AGENTSMITH_API_TOKEN`; undefined when it is unset or empty. */
  apiToken(): string | undefined;
  credential(project: string): CredentialState;
  webhookSecrets(project: string): readonly string[];
  /** Every secret value, for the redactor. */
  all(): readonly string[];
}

const SECRET_NAME = /TOKEN|SECRET|PASSWORD|PASSWD|PRIVATE|CREDENTIAL|API_?KEY|ACCESS_?KEY|(?:^|_)PAT$/i;

/** Whether a variable or header of this name holds a secret, as far as its name tells. */
export function isSecretName(name: string): boolean {
  return SECRET_NAME.test(name);
}

export function createSecrets(
  env: Environment,
  projects: ReadonlyMap<string, ProjectSecrets>,
  pipelines: readonly PipelineConfig[],
): Secrets {
  const known = new Set<string>();
  const add = (value: string | undefined): void => {
    if (value !== undefined && value !== '') known.add(value);
  };
  // Whatever a pipeline may print: every variable whose name says so, used or not.
  for (const [name, value] of Object.entries(env)) if (isSecretName(name)) add(value);
  // The address of Redis, of a proxy, of anything: what stands before the @ of a URL is a credential.
  for (const value of Object.values(env)) passwordsOf(value ?? '').forEach(add);
  for (const { credential, webhookSecrets } of projects.values()) {
    if (credential.ok && credential.credential.kind !== 'app') add(credential.credential.token);
    webhookSecrets.forEach(add);
  }
  for (const { env: own, http } of pipelines) {
    for (const [name, value] of Object.entries({ ...own, ...http?.headers })) {
      if (isSecretName(name) || name.toLowerCase() === 'authorization') add(value);
    }
  }
  return {
    redisUrl: () => env.REDIS_URL || undefined,
    apiToken: () => env.AGENTSMITH_API_TOKEN || undefined,
    credential: (project) => projects.get(project)?.credential ?? { ok: false, reason: 'no such project' },
    webhookSecrets: (project) => projects.get(project)?.webhookSecrets ?? [],
    all: () => [...known],
  };
}

/** The password of a URL as it is written and as it is sent. */
function passwordsOf(url: string): string[] {
  const written = /^[a-z][a-z0-9+.-]*:\/\/[^/@]*?:([^/]*)@/i.exec(url)?.[1];
  if (written === undefined) return [];
  try {
    return [written, decodeURIComponent(written)];
  } catch {
    // Not escaped at all: then it is sent as it is written.
    return [written];
  }
}

/** The `auth:` of a project, or the platform's own variables for `auth: token`. */
export function resolveCredential(
  descriptor: PlatformDescriptor,
  tickets: TicketsConfig,
  env: Environment,
  directory: string,
): CredentialState {
  const auth = (typeof tickets.auth === 'object' ? tickets.auth : undefined) as
    | Readonly<Record<string, string>>
    | undefined;
  if (auth?.private_key_file !== undefined) {
    const privateKeyFile = path.resolve(directory, auth.private_key_file);
    const credential = { appId: auth.app_id ?? '', installationId: auth.installation_id ?? '', privateKeyFile };
    return { ok: true, credential: { kind: 'app', ...credential } };
  }
  const { environment } = descriptor;
  const token = auth === undefined ? env[environment.token] : auth.token;
  if (token === undefined || token === '') {
    return { ok: false, reason: auth === undefined ? `${environment.token} is not set` : 'auth.token is empty' };
  }
  const email = auth === undefined && environment.email !== undefined ? env[environment.email] : auth?.email;
  if (email !== undefined && email !== '') return { ok: true, credential: { kind: 'basic', email, token } };
  if (descriptor.needsEmail?.(tickets) === true) {
    const reason = auth === undefined ? `${environment.email ?? 'the email'} is not set` : 'auth.email is missing';
    return { ok: false, reason };
  }
  return { ok: true, credential: { kind: 'token', token } };
}

/** Tells credentials apart without showing them: projects with the same name share one API budget. */
export function credentialName(platform: string, host: string, credential: Credential): string {
  const proof = credential.kind === 'app' ? `${credential.appId}/${credential.installationId}` : credential.token;
  return `${platform}~${host}~${createHash('sha256').update(proof).digest('hex').slice(0, 12)}`;
}
