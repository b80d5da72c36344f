/** Paging by `Link: <url>; rel="next"`, followed only where the listing began: a page is asked for with our credential. */
import type { Session } from './session.ts';

/**
 * The next page of a listing that was asked for at `url`; undefined on the last page.
 * @throws PlatformError `invalid-response` when the link leads to another origin.
 */
export function nextLink(session: Session, header: string | undefined, url: string): string | undefined {
  const link = nextIn(header);
  if (link === undefined) return undefined;
  const next = URL.parse(link, url);
  if (next?.origin === new URL(url).origin) return next.href;
  throw session.error('invalid-response', 'the next page is said to be at another origin: not followed');
}

/** The address of the next page as the header says it, wherever that may lead. */
export function nextIn(header: string | undefined): string | undefined {
  return header?.match(/<([^<>]+)>\s*;[^,]*\brel="?next\b/i)?.[1];
}
