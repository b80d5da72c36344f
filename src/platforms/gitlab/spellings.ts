/**
 * GitLab tells the letter cases of labels apart, the house does not: `Bug` and `bug` are one trigger. So a label is asked
 * for in every spelling that the project knows. Those are looked up now and then, not in every poll.
 */
import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import { hasLabel } from '../../domain/lifecycle.ts';
import { sourceKey } from '../../domain/ticket.ts';
import { type GitLabClient, type GitLabSession, pagesOf } from './client.ts';

/** A new spelling is found this much later at most; the configured one at once. */
const KNOWN_FOR_MS = 10 * 60_000;

export const labelSchema = z.object({ name: z.string() });

const createSpellings = () => new LRUCache<string, readonly string[]>({ max: 10_000, ttl: KNOWN_FOR_MS });

/** The label as it was given and as the project and its groups spell it otherwise. */
export async function spellingsOf(
  client: GitLabClient,
  gitlab: GitLabSession,
  label: string,
): Promise<readonly string[]> {
  const spellings = client.shared(createSpellings);
  const key = `${sourceKey(client.source)} ${label}`;
  const known = spellings.get(key);
  if (known !== undefined) return known;
  const found = new Set([label]);
  const list = (place: object) => gitlab.api.labels.all(gitlab.project, { search: label, perPage: 100, ...place });
  for await (const page of pagesOf(gitlab, labelSchema, list)) {
    // The search finds parts of names and descriptions, too.
    for (const { name } of page) if (hasLabel([name], label)) found.add(name);
  }
  spellings.set(key, [...found]);
  return [...found];
}
