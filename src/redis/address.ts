/** Reads `REDIS_URL` in all the forms that operators use, into options for the client. */
import type { RedisOptions } from 'ioredis';

export interface ClusterNode {
  readonly host: string;
  readonly port: number;
}

/** What the client is given; `cluster` names some nodes of a Redis Cluster in place of `host` and `port`. */
export type RedisTarget = RedisOptions & { readonly cluster?: readonly ClusterNode[] };

export type RedisAddress =
  | { readonly ok: true; readonly options: RedisTarget }
  | { readonly ok: false; readonly problem: string };

/** `scheme://`, `user:password@`, hosts, `/path`. A password that holds an unescaped / ? # or @ does not fit. */
const FORM = /^([a-z+]+):\/\/(?:([^@/?#]*)@)?([^@/?#]+)((?:\/[^/?#]*)*)$/i;

/**
 * Accepts `redis://`, `rediss://`, `host:port`, `redis+sentinel://h1[:26379],h2/master[/db]` and
 * `redis+cluster://h1[:6379],h2` (with TLS `rediss+cluster://`). The problem never repeats the URL: it may hold a password.
 */
export function parseRedisUrl(url: string): RedisAddress {
  const match = FORM.exec(url.includes('://') ? url : `redis://${url}`);
  if (match === null) {
    return problem('not a valid URL; in a password write / ? # @ : % as %2F %3F %23 %40 %3A %25');
  }
  const [, scheme = '', userInfo = '', authority = '', pathname = ''] = match;
  const credentials = credentialsOf(userInfo);
  const hosts = authority.split(',').map((host) => splitHost(host));
  const path = pathname.split('/').filter((part) => part !== '');
  if (credentials === undefined) return problem('a % in the user or password must be written as %25');
  if (hosts.includes(undefined)) return problem('expected a host name or address, and a port from 1 to 65535');

  switch (scheme.toLowerCase()) {
    case 'redis':
    case 'rediss': {
      const [host, another] = hosts;
      const db = database(path[0]);
      if (another !== undefined) return problem('several hosts need redis+sentinel:// or redis+cluster://');
      if (db === undefined || path.length > 1) return problem('what follows the host must be the number of a database');
      const server = { host: host?.name ?? '', port: host?.port ?? 6379 };
      return { ok: true, options: { ...credentials, ...db, ...server, ...tlsOf(scheme) } };
    }
    case 'redis+sentinel': {
      const [name, number] = path;
      const db = database(number);
      if (name === undefined) return problem('redis+sentinel:// needs the name of the master as path');
      if (db === undefined || path.length > 2)
        return problem('what follows the master must be the number of a database');
      const sentinels = hosts.map((host) => ({ host: host?.name ?? '', port: host?.port ?? 26_379 }));
      return { ok: true, options: { ...credentials, ...db, sentinels, name, role: 'master', failoverDetector: true } };
    }
    case 'redis+cluster':
    case 'rediss+cluster': {
      if (path.length > 0) return problem('Redis Cluster has no numbered databases: nothing may follow its nodes');
      const cluster = hosts.map((host) => ({ host: host?.name ?? '', port: host?.port ?? 6379 }));
      return { ok: true, options: { ...credentials, cluster, ...tlsOf(scheme) } };
    }
    default:
      return problem('expected redis://, rediss://, redis+sentinel://, redis+cluster:// or host:port');
  }
}

function problem(text: string): RedisAddress {
  return { ok: false, problem: `REDIS_URL: ${text}` };
}

function tlsOf(scheme: string): RedisOptions {
  return scheme.toLowerCase().startsWith('rediss') ? { tls: {} } : {};
}

/** Undefined when it is not properly escaped. */
function credentialsOf(userInfo: string): RedisOptions | undefined {
  const [user = '', ...rest] = userInfo.split(':');
  try {
    const [username, password] = [decodeURIComponent(user), decodeURIComponent(rest.join(':'))];
    return { ...(username === '' ? {} : { username }), ...(password === '' ? {} : { password }) };
  } catch {
    return undefined;
  }
}

function splitHost(text: string): { readonly name: string; readonly port: number | undefined } | undefined {
  const [, name, port] = /^(\[[0-9a-f:.]+\]|[^\s:[\]]+)(?::(\d{1,5}))?$/i.exec(text) ?? [];
  if (name === undefined || (port !== undefined && (Number(port) < 1 || Number(port) > 65_535))) return undefined;
  return { name: name.replace(/^\[|\]$/g, ''), port: port === undefined ? undefined : Number(port) };
}

/** Undefined when it is no number. */
function database(text: string | undefined): RedisOptions | undefined {
  if (text === undefined) return {};
  return /^\d{1,5}$/.test(text) ? { db: Number(text) } : undefined;
}
