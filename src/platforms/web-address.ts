/**
 * The one reader of addresses that people write into the configuration. However a repository is spelled (letter case,
 * `.git`, trailing slash, clone address, default port, without scheme), the same parts come out, so that one repository
 * is one source.
 */

export interface WebAddress {
  /** `http` only where it was written, as for a test host; clone addresses count as `https`. */
  readonly scheme: 'http' | 'https';
  /** Lower case, with the port only if it is not the scheme's own. */
  readonly host: string;
  /** Decoded, without empty ones, the last one without `.git`. */
  readonly segments: readonly string[];
}

/** Says what is wrong with an address, in words that never repeat it: it may hold a credential. */
export interface AddressProblem {
  readonly problem: string;
}

const SCP_LIKE = /^[\w.-]+@([^/:]+):(?!\/)(.+)$/;
const CLONE_SCHEME = /^(?:ssh|git):\/\/(?:[^@/]*@)?([^/:]+)(?::\d+)?\//i;
const ANY_SCHEME = /^[a-z][a-z0-9+.-]*:\/\//i;
/** `www.` in front of a site is the site. */
const ALIAS_PREFIX = /^www\./;

/**
 * Reads `https://host/a/b.git/`, `host/a/b`, `git@host:a/b.git` or `ssh://git@host/a/b`. A user name is refused unless
 * `userName` allows it (Azure DevOps puts one into its clone addresses), a password always.
 */
export function readWebAddress(text: string, options: { userName?: boolean } = {}): WebAddress | AddressProblem {
  const url = URL.parse(toHttp(text.trim()));
  // The root of all names, `.`, is a name to the parser and no host to anybody.
  if (url === null || url.hostname.replaceAll('.', '') === '') {
    return { problem: 'is not a web address such as https://host/path' };
  }
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return { problem: 'must begin with https:// or http://' };
  if (url.password !== '' || (url.username !== '' && options.userName !== true)) {
    return { problem: 'must not hold a user name or a password: use auth' };
  }
  const segments = url.pathname.split('/').filter((segment) => segment !== '');
  const decoded = segments.map(decode);
  if (decoded.includes(undefined)) return { problem: 'holds a broken % escape' };
  return {
    scheme: url.protocol === 'https:' ? 'https' : 'http',
    host: url.host.replace(/\.(?=$|:)/, '').replace(ALIAS_PREFIX, ''),
    segments: decoded.filter((segment) => segment !== undefined).map(withoutGitSuffix),
  };
}

/** `scheme://host/segments`, escaped, without a trailing slash. */
export function writeWebAddress(address: WebAddress): string {
  const path = address.segments.map((segment) => `/${encodeURIComponent(segment)}`).join('');
  return `${address.scheme}://${address.host}${path}`;
}

function toHttp(text: string): string {
  const scp = SCP_LIKE.exec(text);
  if (scp !== null) return `https://${scp[1]}/${scp[2]}`;
  if (CLONE_SCHEME.test(text)) return text.replace(CLONE_SCHEME, 'https://$1/');
  return ANY_SCHEME.test(text) ? text : `https://${text}`;
}

function withoutGitSuffix(segment: string, index: number, all: readonly string[]): string {
  return index === all.length - 1 ? segment.replace(/\.git$/i, '') : segment;
}

function decode(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment);
  } catch {
    // Not an error to hide: the caller turns it into a problem with words.
    return undefined;
  }
}
