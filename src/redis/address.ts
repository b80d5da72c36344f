/** Reads `REDIS_URL` in all the forms that operators use, into options for the client. */
import type { RedisOptions } from 'ioredis';

export type RedisAddress =
  | { readonly ok: true; readonly options: RedisOptions; readonly secrets: readonly string[] }
  | { readonly ok: false; readonly problem: string };

/**
 * Accepts `redis://`, `rediss://`, `host:port` and `redis+sentinel://h1[:26379],h2/master[/db]`.
 * The problem never repeats the URL: it may hold a password.
 */
export function parseRedisUrl(url: string): RedisAddress {
  const text = url.includes('://') ? url : `redis://${url}`;
  const scheme = text.slice(0, text.indexOf('://'));
  if (scheme === 'redis+cluster') {
    return { ok: false, problem: 'REDIS_URL: Redis Cluster is not in this build; use redis:// or redis+sentinel://' };
  }
  if (scheme !== 'redis' && scheme !== 'rediss' && scheme !== 'redis+sentinel') {
    return { ok: false, problem: 'REDIS_URL: expected redis://, rediss://, redis+sentinel:// or host:port' };
  }
  // The URL class knows one host only: the others of a Sentinel list are cut out before it parses.
  const authority = /^[^/]+:\/\/([^/?]*)/.exec(text)?.[1] ?? '';
  const hosts = authority.slice(authority.lastIndexOf('@') + 1).split(',');
  const single = text.replace(hosts.join(','), hosts[0] ?? '');
  if (!URL.canParse(single) || hosts.some((host) => host === '')) {
    return { ok: false, problem: 'REDIS_URL: not a valid URL' };
  }
  const parsed = new URL(single);
  const username = decodeURIComponent(parsed.username);
  const password = decodeURIComponent(parsed.password);
  const path = parsed.pathname.split('/').filter((part) => part !== '');
  const credentials: RedisOptions = {
    ...(username === '' ? {} : { username }),
    ...(password === '' ? {} : { password }),
  };
  const secrets = password === '' ? [] : [password];

  if (scheme === 'redis+sentinel') {
    const [name, db] = path;
    if (name === undefined) return { ok: false, problem: 'REDIS_URL: redis+sentinel:// needs the master name as path' };
    const sentinels = hosts.map((host) => splitHost(host, 26_379));
    return {
      ok: true,
      secrets,
      options: { ...credentials, ...database(db), sentinels, name, role: 'master', failoverDetector: true },
    };
  }
  return {
    ok: true,
    secrets,
    options: {
      ...credentials,
      ...database(path[0]),
      ...splitHost(parsed.host, 6379),
      ...(scheme === 'rediss' ? { tls: {} } : {}),
    },
  };
}

function splitHost(host: string, defaultPort: number): { host: string; port: number } {
  const match = /^(\[[^\]]+\]|[^:]+)(?::(\d+))?$/.exec(host);
  return { host: (match?.[1] ?? host).replace(/^\[|\]$/g, ''), port: Number(match?.[2] ?? defaultPort) };
}

function database(text: string | undefined): RedisOptions {
  return text !== undefined && /^\d+$/.test(text) ? { db: Number(text) } : {};
}
