/**
 * The environment of a command, pure: nothing is inherited but what is named here or in the pipeline. So a secret of the
 * server reaches a command only if somebody wrote it into `pass_env` or `env`.
 */
import type { RunnerRequest } from './runner.ts';

/** What a variable that describes the ticket may hold, in bytes of UTF-8. */
const MAX_VALUE_BYTES = 1024;

/** Ours alone: neither `env` nor `pass_env` sets a variable with this prefix. */
const RESERVED_PREFIX = 'AGENTSMITH_';

/** What tells of an attempt, without what is the runner's own affair. */
export type DescribedRequest = Omit<RunnerRequest, 'timeoutMs' | 'trustedSince'>;

const BASICS = ['PATH', 'HOME', 'LANG', 'TZ', 'TMPDIR'];

/** Tools disagree about the letter case of these: both are passed. */
const PROXY = ['HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY', 'NO_PROXY'].flatMap((name) => [name, name.toLowerCase()]);

const CERTIFICATES = [
  'NODE_USE_ENV_PROXY',
  'NODE_EXTRA_CA_CERTS',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
  'CURL_CA_BUNDLE',
  'REQUESTS_CA_BUNDLE',
  'GIT_SSL_CAINFO',
  'GIT_SSL_CAPATH',
];

const ALWAYS_PASSED = new Set([...BASICS, ...PROXY, ...CERTIFICATES]);

export interface EnvironmentSettings {
  /** Set by the pipeline; wins over the host. */
  readonly env: Readonly<Record<string, string>>;
  /** Names of further variables of the host. */
  readonly passEnv: readonly string[];
}

export type HostEnvironment = Readonly<Record<string, string | undefined>>;

export type CommandEnvironment =
  | { readonly kind: 'environment'; readonly env: Record<string, string> }
  /** The pipeline asks for the impossible; a sentence for people that quotes no value. */
  | { readonly kind: 'refused'; readonly reason: string };

export function commandEnvironment(
  request: DescribedRequest,
  settings: EnvironmentSettings,
  host: HostEnvironment,
): CommandEnvironment {
  return build(request, settings, host, (name) => ALWAYS_PASSED.has(name) || name.startsWith('LC_'));
}

/** The same where the work runs on another machine: of this one it sees nothing but what the pipeline names. */
export function remoteEnvironment(
  request: DescribedRequest,
  settings: EnvironmentSettings,
  host: HostEnvironment,
): CommandEnvironment {
  return build(request, settings, host, () => false);
}

function build(
  request: DescribedRequest,
  settings: EnvironmentSettings,
  host: HostEnvironment,
  isAlwaysPassed: (name: string) => boolean,
): CommandEnvironment {
  for (const [name, value] of Object.entries(settings.env)) {
    if (!/^[^=\0]+$/.test(name)) return refused(`has a variable with the impossible name ${JSON.stringify(name)}`);
    if (value.includes('\0')) return refused(`sets ${name} to a value with a NUL character`);
  }
  const passed = new Set(settings.passEnv);
  const inherited = Object.entries(host).filter(([name]) => isAlwaysPassed(name) || passed.has(name));
  const asked = [...inherited, ...Object.entries(settings.env)].filter(
    (entry): entry is [string, string] => entry[1] !== undefined && !entry[0].startsWith(RESERVED_PREFIX),
  );
  const context = request.traceparent === undefined ? {} : { TRACEPARENT: request.traceparent };
  return { kind: 'environment', env: { ...context, ...Object.fromEntries(asked), ...describe(request) } };

  function refused(what: string): CommandEnvironment {
    return { kind: 'refused', reason: `The env of pipeline ${request.pipeline} ${what}.` };
  }
}

/** The attempt in variables: the whole ticket is on standard input. */
function describe(request: DescribedRequest): Record<string, string> {
  const { ticket, code } = request;
  const values = {
    AGENTSMITH_RUN_ID: request.run,
    AGENTSMITH_ATTEMPT: String(request.attempt),
    AGENTSMITH_FENCE: String(request.fence),
    AGENTSMITH_PROJECT: request.project,
    AGENTSMITH_PIPELINE: request.pipeline,
    AGENTSMITH_PLATFORM: request.platform,
    AGENTSMITH_TICKET_ID: ticket.id,
    AGENTSMITH_TICKET_URL: ticket.url,
    AGENTSMITH_TICKET_TITLE: ticket.title,
    AGENTSMITH_SOURCE_URL: code.url,
    AGENTSMITH_SOURCE_TYPE: code.type,
  };
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, oneLine(value)]));
}

/** Without control characters (a NUL makes spawn throw) and cut at a character border (so does a text without end). */
function oneLine(text: string): string {
  const clean = text.replaceAll(/\p{Cc}/gu, '').toWellFormed();
  const room = new Uint8Array(MAX_VALUE_BYTES);
  const { read } = new TextEncoder().encodeInto(clean, room);
  return clean.slice(0, read);
}
