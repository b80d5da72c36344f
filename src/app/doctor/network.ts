/** The way to the platforms: what a call that found none tells about it, and the variables of Node that change it. */
import { existsSync } from 'node:fs';
import type { Environment } from '../../config/expand.ts';
import { unreachable } from '../../foundation/errors.ts';
import type { PlatformError } from '../../platforms/contract.ts';
import type { DoctorCheck } from './check.ts';

const PROXIES = ['HTTPS_PROXY', 'HTTP_PROXY', 'https_proxy', 'http_proxy'];
const SHOWN = [...PROXIES, 'NO_PROXY', 'no_proxy', 'NODE_USE_ENV_PROXY', 'NODE_EXTRA_CA_CERTS', 'NODE_OPTIONS'];

/** By name only: an address of a proxy may hold a password. */
export function checkNetwork(env: Environment): DoctorCheck[] {
  const isSet = (name: string): boolean => (env[name] ?? '') !== '';
  const seen = SHOWN.filter(isSet);
  const text = seen.length === 0 ? 'no variable for a proxy or a CA is set' : `set: ${seen.join(', ')}`;
  const checks: DoctorCheck[] = [];
  const options = env.NODE_OPTIONS ?? '';
  if (PROXIES.some(isSet) && env.NODE_USE_ENV_PROXY !== '1' && !options.includes('--use-env-proxy')) {
    checks.push({
      ...ABOUT,
      check: 'proxy',
      state: 'warning',
      text: `${text}; Node does not use the proxy`,
      advice: 'Set NODE_USE_ENV_PROXY=1 as well, or unset the variables of the proxy.',
    });
  } else {
    checks.push({ ...ABOUT, check: 'proxy', state: 'ok', text });
  }
  const { NODE_EXTRA_CA_CERTS: certificates = '', NODE_TLS_REJECT_UNAUTHORIZED: unchecked } = env;
  if (certificates !== '' && !existsSync(certificates)) {
    const advice = 'Node goes on without it: put the file there.';
    checks.push({ ...ABOUT, check: 'ca', state: 'problem', text: 'NODE_EXTRA_CA_CERTS names no file', advice });
  }
  if (unchecked === '0') {
    const advice = 'Unset it and name your CA in NODE_EXTRA_CA_CERTS: anybody on the way could read the tokens.';
    checks.push({ ...ABOUT, check: 'tls', state: 'warning', text: 'NODE_TLS_REJECT_UNAUTHORIZED is 0', advice });
  }
  return checks;
}

const ABOUT = { subject: 'network' } as const;

/** What to do about a platform that could not be asked. */
export function adviceFor(error: PlatformError): string {
  switch (error.kind) {
    case 'unavailable':
      return wayAdvice(error);
    case 'rate-limited': {
      const seconds = Math.ceil((error.retryAfterMs ?? 60_000) / 1000);
      return `Ask again in ${seconds} s: until then nothing is sent with this credential.`;
    }
    case 'auth':
      return 'Check the credential of the project and what it may do.';
    case 'not-found':
      return 'Check url and api_url of the project: there is no such API, or the credential may not see it.';
    case 'invalid-response':
      return error.status === 407
        ? 'The proxy asks for a password: put it into the address in HTTPS_PROXY.'
        : 'Something that is not the API answered: check api_url, and for a sign-in page or a proxy in between.';
    case 'unsupported':
      return 'Give the project another kind of credential under auth:.';
    case 'conflict':
      return 'Ask again: somebody else changed the same thing.';
    default:
      return unreachable(error.kind);
  }
}

/** By the code that the system gave the broken connection. */
function wayAdvice(error: PlatformError): string {
  if (error.status !== undefined) return 'The platform has an outage, or a gateway before it: see its status page.';
  const code = codeIn(error);
  if (/^(?:ENOTFOUND|EAI_AGAIN)$/.test(code)) {
    return 'The name of the host cannot be resolved: check url and api_url, DNS, and whether a proxy is needed.';
  }
  if (/CERT|SIGNATURE|SELF_SIGNED|ISSUER/.test(code)) {
    return 'The certificate of the host is not trusted: name the file of your CA in NODE_EXTRA_CA_CERTS.';
  }
  if (/SSL|TLS|EPROTO/.test(code)) return 'No TLS there: check http:// against https:// and the port.';
  if (/^(?:ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|ECONNRESET|ETIMEDOUT|UND_ERR_)/.test(code)) {
    return 'The host does not take the connection: check host and port, firewall, VPN, and whether a proxy is needed.';
  }
  return 'No answer in time: check the way to the host, and whether a proxy is needed.';
}

/** The first code in the chain of causes; empty when there is none. */
function codeIn(error: unknown): string {
  for (let inner = error; inner instanceof Error; inner = inner.cause) {
    if ('code' in inner && typeof inner.code === 'string') return inner.code;
  }
  return '';
}
