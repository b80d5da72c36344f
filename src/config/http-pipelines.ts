/**
 * The `http:` section of a pipeline: what is wrong with it, and what its runner takes. Asked of the file when it is loaded, and
 * once more of a run's policy when that is started, since the environment may be another one by then.
 */
import { Webhook } from 'standardwebhooks';
import { messageOf } from '../foundation/errors.ts';
import { parseAddressRange } from '../worker/runners/http/address-rule.ts';
import { type HttpSpec, OWN_HEADERS } from '../worker/runners/http/message.ts';
import type { ConfigFile, HttpConfig } from './schema.ts';

export interface OpenedHttp extends HttpSpec {
  readonly runner: 'http';
}

/** A key of the section and what is wrong there; quotes no value. */
export interface HttpProblem {
  readonly key: keyof HttpConfig;
  readonly message: string;
}

const SECRET_PREFIX = 'whsec_';
const KEY_BYTES = { least: 24, most: 64 } as const;

/** `callbackUrl` is for a section that names none. */
export function httpProblems(http: HttpConfig, callbackUrl: string | undefined): HttpProblem[] {
  const problems: HttpProblem[] = [];
  const say = (key: keyof HttpConfig, message: string | undefined): void => {
    if (message !== undefined) problems.push({ key, message });
  };
  say('url', urlProblem(http.url));
  if (http.callback_url !== undefined) say('callback_url', urlProblem(http.callback_url));
  else if (http.result === 'callback' && callbackUrl === undefined) {
    say('result', 'callback needs callback_url, or webhooks.public_url, so that the service can reach us');
  }
  if ((http.secret === undefined) === (http.secrets === undefined)) {
    say('secret', 'must have either secret or secrets: each request is signed');
  }
  for (const secret of secretsOf(http)) say(http.secrets === undefined ? 'secret' : 'secrets', secretProblem(secret));
  for (const [name, value] of Object.entries(http.headers ?? {})) say('headers', headerProblem(name, value));
  for (const range of http.allow_addresses ?? []) {
    if (parseAddressRange(range) === undefined) say('allow_addresses', `${range} is no address and no range`);
  }
  return problems;
}

/** Of a section without problems. */
export function httpSpec(http: HttpConfig, callbackUrl: string | undefined): HttpSpec {
  const base = http.callback_url ?? callbackUrl;
  return {
    url: http.url,
    headers: http.headers ?? {},
    secrets: secretsOf(http),
    result: http.result,
    ...(base !== undefined && { callbackUrl: base.replace(/\/+$/, '') }),
    allowAddresses: http.allow_addresses ?? [],
  };
}

/** How services reach us unless their pipeline says otherwise. People write the address of webhooks with its path or without. */
export function defaultCallbackUrl({ webhooks }: Pick<ConfigFile, 'webhooks'>): string | undefined {
  const url = webhooks?.public_url?.replace(/\/+$/, '');
  const path = webhooks?.webhook_path.replace(/\/+$/, '') ?? '';
  return url?.endsWith(path) === true ? url.slice(0, url.length - path.length) : url;
}

export function secretsOf({ secret, secrets }: Pick<HttpConfig, 'secret' | 'secrets'>): readonly string[] {
  return secrets ?? (secret === undefined ? [] : [secret]);
}

function urlProblem(text: string): string | undefined {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol)) return 'must be an http or https URL';
  return url.username === '' && url.password === '' ? undefined : 'must not hold a password: use headers';
}

function secretProblem(secret: string): string | undefined {
  const key = secret.slice(SECRET_PREFIX.length);
  const bytes = Buffer.byteLength(key, 'base64');
  if (!secret.startsWith(SECRET_PREFIX) || !isBase64(secret) || bytes < KEY_BYTES.least || bytes > KEY_BYTES.most) {
    return 'must be whsec_ and 24 to 64 bytes in base64, as in: echo "whsec_$(openssl rand -base64 32)"';
  }
  return undefined;
}

function isBase64(secret: string): boolean {
  try {
    return new Webhook(secret) instanceof Webhook;
  } catch {
    // The library says no by throwing.
    return false;
  }
}

function headerProblem(name: string, value: string): string | undefined {
  if (OWN_HEADERS.has(name.toLowerCase())) return `${name} is set by Agent Smith`;
  try {
    return new Headers([[name, value]]).has(name) ? undefined : `${name} cannot be sent`;
  } catch (error) {
    return messageOf(error).includes('name') ? `${name} is no name of a header` : `the value of ${name} cannot be sent`;
  }
}
