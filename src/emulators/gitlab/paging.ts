/**
 * Pages of a listing. By number, with totals unless there are too many rows to count; or by keyset where the listing has
 * a fixed order, which nothing that happens between two pages can shift. A keyset that is asked for elsewhere is ignored
 * without a word.
 */
import { cutPage, linkTo } from '../pages.ts';
import { ok, type Reply, refused } from './replies.ts';

const DEFAULT_PER_PAGE = 20;
const MAX_PER_PAGE = 100;
const MAX_COUNTED = 10_000;
const MAX_OFFSET = 50_000;

export interface Listing<T> {
  readonly all: readonly T[];
  readonly query: URLSearchParams;
  /** Address of the listing without its query. */
  readonly url: string;
  readonly shape: (item: T) => unknown;
  /** By what a keyset tells items apart, in the order of the listing; undefined where there is none. */
  readonly keyOf?: ((item: T) => string) | undefined;
}

export function paginate<T>(listing: Listing<T>): Reply {
  const { all, query, url, shape } = listing;
  if (query.get('pagination') === 'keyset' && listing.keyOf !== undefined) return keysetPage(listing, listing.keyOf);
  const { items, page, perPage, last, link } = cutPage(all, query, url, DEFAULT_PER_PAGE);
  if ((page - 1) * perPage >= MAX_OFFSET) {
    return refused(405, `Offset pagination has a maximum allowed offset of ${MAX_OFFSET} for requests of this type.`);
  }
  const counted = all.length <= MAX_COUNTED;
  const links = [
    ...(page > 1 ? [link(page - 1, 'prev')] : []),
    ...(page < last ? [link(page + 1, 'next')] : []),
    link(1, 'first'),
    ...(counted ? [link(last, 'last')] : []),
  ];
  return ok(items.map(shape), {
    link: links.join(', '),
    'x-page': String(page),
    'x-per-page': String(perPage),
    'x-prev-page': page > 1 ? String(page - 1) : '',
    'x-next-page': page < last ? String(page + 1) : '',
    ...(counted ? { 'x-total': String(all.length), 'x-total-pages': String(last) } : {}),
  });
}

function keysetPage<T>({ all, query, url, shape }: Listing<T>, keyOf: (item: T) => string): Reply {
  const perPage = Math.min(Number(query.get('per_page') ?? DEFAULT_PER_PAGE), MAX_PER_PAGE);
  const cursor = Buffer.from(query.get('cursor') ?? '', 'base64url').toString();
  const isAscending = query.get('sort') === 'asc';
  const rest = all.filter((item) => cursor === '' || (isAscending ? keyOf(item) > cursor : keyOf(item) < cursor));
  const items = rest.slice(0, perPage);
  const end = items.at(-1);
  if (end === undefined || rest.length === items.length) return ok(items.map(shape));
  const next = Buffer.from(keyOf(end)).toString('base64url');
  return ok(items.map(shape), { link: linkTo(url, query, { cursor: next }, 'next') });
}
