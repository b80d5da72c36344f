/** Cutting a page out of a listing by `page` and `per_page`, as GitHub and GitLab both do. */

export interface Cut<T> {
  readonly items: readonly T[];
  readonly page: number;
  readonly perPage: number;
  /** Number of the last page; at least 1. */
  readonly last: number;
  /** The page of that number as a link of this kind, under the same query. */
  link(page: number, rel: 'first' | 'prev' | 'next' | 'last'): string;
}

const MAX_PER_PAGE = 100;

/** @param url the address of the listing without its query, for the links. */
export function cutPage<T>(all: readonly T[], query: URLSearchParams, url: string, defaultPerPage: number): Cut<T> {
  const perPage = Math.min(positive(query.get('per_page'), defaultPerPage), MAX_PER_PAGE);
  const page = positive(query.get('page'), 1);
  return {
    items: all.slice((page - 1) * perPage, page * perPage),
    page,
    perPage,
    last: Math.max(1, Math.ceil(all.length / perPage)),
    link: (target, rel) => linkTo(url, query, { page: String(target) }, rel),
  };
}

/** One entry of a `Link` header: the same query with other parameters. */
export function linkTo(
  url: string,
  query: URLSearchParams,
  parameters: Readonly<Record<string, string>>,
  rel: string,
): string {
  const params = new URLSearchParams(query);
  for (const [name, value] of Object.entries(parameters)) params.set(name, value);
  return `<${url}?${params.toString()}>; rel="${rel}"`;
}

function positive(text: string | null, otherwise: number): number {
  const value = Number(text);
  return Number.isInteger(value) && value > 0 ? value : otherwise;
}
