/**
 * ETags of reads. They hash the body together with the token, so another token gets another ETag for the same answer,
 * as on GitHub. The version of the repository is remembered beside each one: as long as nothing changed in there, a poll
 * is answered 304 without rendering or hashing anything.
 */
import { hash } from 'node:crypto';
import { LRUCache } from 'lru-cache';

interface Cached {
  readonly version: number;
  readonly etag: string;
}

export interface ETags {
  /** The ETag that is known to be current, without rendering. */
  known(salt: string, path: string, version: number): string | undefined;
  /** Computes and remembers the ETag of a rendered body. */
  remember(salt: string, path: string, version: number, body: string): string;
}

export function createETags(): ETags {
  const cache = new LRUCache<string, Cached>({ max: 50_000 });
  const keyOf = (salt: string, path: string): string => `${salt} ${path}`;
  return {
    known(salt, path, version) {
      const cached = cache.get(keyOf(salt, path));
      return cached?.version === version ? cached.etag : undefined;
    },
    remember(salt, path, version, body) {
      const etag = `W/"${hash('sha256', `${salt}\n${body}`)}"`;
      cache.set(keyOf(salt, path), { version, etag });
      return etag;
    },
  };
}

/** Whether an `If-None-Match` header names this ETag; compared weakly, as for every cache (RFC 9110, 13.1.2). */
export function namesETag(ifNoneMatch: string | undefined, etag: string): boolean {
  if (ifNoneMatch === undefined) return false;
  const opaque = (tag: string): string => tag.trim().replace(/^W\//, '');
  return ifNoneMatch.trim() === '*' || ifNoneMatch.split(',').some((tag) => opaque(tag) === opaque(etag));
}
