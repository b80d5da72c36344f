/**
 * Everything secret that a configuration holds, in one place and behind functions: whoever prints or serialises a
 * config by accident gets no secret, because functions have no text.
 */
import { type CredentialState, secretForms } from './credentials.ts';
import type { Environment, Expansion } from './expand.ts';
import { secretsOf } from './http-pipelines.ts';
import type { Path } from './problems.ts';
import type { PipelineConfig } from './schema.ts';
import type { TraceTarget } from './telemetry.ts';

export interface ProjectSecrets {
  readonly credential: CredentialState;
  /** Newest first; empty = no signed webhooks. */
  readonly webhookSecrets: readonly string[];
  /** Takes deliveries that prove nothing. */
  readonly allowUnsigned: boolean;
}

export interface Secrets {
  /** `REDIS_URL`; undefined when it is unset or empty. */
  redisUrl(): string | undefined;
  /** `AGENTSMITH_API_TOKEN`; undefined when it is unset or empty. */
  apiToken(): string | undefined;
  credential(project: string): CredentialState;
  webhookSecrets(project: string): readonly string[];
  allowsUnsigned(project: string): boolean;
  /** Where traces are sent to; undefined while they are off. */
  traceTarget(): TraceTarget | undefined;
  /** Every secret value, for the redactor. */
  all(): readonly string[];
}

const SECRET_NAME =
  /TOKEN|SECRET|PASSWORD|PASSWD|PRIVATE|CREDENTIAL|AUTHORIZATION|API[_-]?KEY|ACCESS[_-]?KEY|(?:^|[_-])PAT$/i;

/** Whether a variable or header of this name holds a secret, as far as its name tells. */
export function isSecretName(name: string): boolean {
  return SECRET_NAME.test(name);
}

/** `uses`: where the file refers to variables. */
export function createSecrets(
  env: Environment,
  projects: ReadonlyMap<string, ProjectSecrets>,
  pipelines: readonly PipelineConfig[],
  uses: Expansion['uses'] = [],
  traceTarget?: TraceTarget,
): Secrets {
  const known = new Set<string>();
  const add = (value: string | undefined): void => {
    if (value !== undefined && value !== '') known.add(value);
  };
  /** `Bearer abc`: whoever quotes it may leave out the first word. */
  const addWithLastWord = (value: string): void => {
    add(value);
    add(value.trim().split(' ').at(-1));
  };
  // Whatever a pipeline may print: every variable whose name says so, used or not.
  for (const [name, value] of Object.entries(env)) if (isSecretName(name)) add(value);
  // The address of Redis, of a proxy, of anything: what stands before the @ of a URL is a credential.
  for (const value of Object.values(env)) passwordsOf(value ?? '').forEach(add);
  for (const { credential, webhookSecrets } of projects.values()) {
    if (credential.ok) secretForms(credential.credential).forEach(add);
    webhookSecrets.forEach(add);
  }
  for (const { env: own = {}, http } of pipelines) {
    for (const [name, value] of Object.entries(own)) if (isSecretName(name)) add(value);
    for (const [name, value] of Object.entries(http?.headers ?? {})) {
      if (isSecretName(name)) addWithLastWord(value);
    }
    if (http !== undefined) secretsOf(http).forEach(add);
  }
  // A service may quote any of its headers, without the line break that a variable often ends with. What stands there in plain
  // text is nobody's secret, unless its name says so; what comes from a variable mostly is.
  for (const { path, variable } of uses) if (isSentHeader(path)) add(env[variable]?.trim());
  // Each vendor has a name of its own for the header with the key.
  Object.values(traceTarget?.headers ?? {}).forEach(addWithLastWord);
  passwordsOf(traceTarget?.url ?? '').forEach(add);
  return {
    traceTarget: () => traceTarget,
    redisUrl: () => env.REDIS_URL || undefined,
    apiToken: () => env.AGENTSMITH_API_TOKEN || undefined,
    credential: (project) => projects.get(project)?.credential ?? { ok: false, reason: 'no such project' },
    webhookSecrets: (project) => projects.get(project)?.webhookSecrets ?? [],
    allowsUnsigned: (project) => projects.get(project)?.allowUnsigned ?? false,
    all: () => [...known],
  };
}

function isSentHeader([section, , runner, key]: Path): boolean {
  return section === 'pipelines' && runner === 'http' && key === 'headers';
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
