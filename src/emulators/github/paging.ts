/** Pages and their `Link` header. Like GitHub, links name the repository by its number, so they survive a rename. */
import { cutPage } from '../pages.ts';

const DEFAULT_PER_PAGE = 30;

export interface Page<T> {
  readonly items: readonly T[];
  readonly headers: Record<string, string>;
}

/** Cuts out the page that the query asks for. `url` is the address of the listing without its query. */
export function paginate<T>(all: readonly T[], query: URLSearchParams, url: string): Page<T> {
  const { items, page, last, link } = cutPage(all, query, url, DEFAULT_PER_PAGE);
  const links = [
    ...(page > 1 ? [link(Math.min(page - 1, last), 'prev')] : []),
    ...(page < last ? [link(page + 1, 'next'), link(last, 'last')] : []),
    ...(page > 1 ? [link(1, 'first')] : []),
  ];
  return { items, headers: links.length === 0 ? {} : { link: links.join(', ') } };
}
