/**
 * Some facts count only when two looks, some time apart, show the same: a single read may lag behind our own write.
 * Remembered in this process alone; a new leader looks twice anew, which costs time and nothing else.
 */
import { LRUCache } from 'lru-cache';
import { elapsedMs, type Moment, now } from './clock.ts';

export interface SecondLook {
  /** True when the same `fact` about `subject` was seen at least `apartMs` ago and nothing else in between. */
  confirms(subject: string, fact: string): boolean;
  forget(subject: string): void;
}

export function createSecondLook(options: { readonly apartMs: number; readonly most: number }): SecondLook {
  const seen = new LRUCache<string, { readonly fact: string; readonly at: Moment }>({ max: options.most });
  return {
    confirms(subject, fact) {
      const first = seen.get(subject);
      if (first?.fact === fact) return elapsedMs(first.at) >= options.apartMs;
      seen.set(subject, { fact, at: now() });
      return false;
    },
    forget(subject) {
      seen.delete(subject);
    },
  };
}
