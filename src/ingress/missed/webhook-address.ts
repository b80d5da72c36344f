/** Whether the address that a platform sends to is one of ours. Pure. */
import type { Project } from '../../domain/project.ts';

export interface WebhookAddress {
  /** Where the routes of our listeners begin, such as `/webhook`. */
  readonly paths: readonly string[];
  /** How platforms reach us; undefined when nobody has said so: then any host may be ours. */
  readonly publicUrl: string | undefined;
}

/** Whether deliveries to this address may be about these projects, which have one source. */
export function isOurAddress(address: string, projects: readonly Project[], ours: WebhookAddress): boolean {
  const url = URL.parse(address);
  const publicUrl = ours.publicUrl === undefined ? undefined : URL.parse(ours.publicUrl);
  if (url === null || publicUrl === null) return false;
  if (publicUrl !== undefined && url.host !== publicUrl.host) return false;
  const path = withoutSlash(url.pathname);
  const publicPath = withoutSlash(publicUrl?.pathname ?? '');
  const bases = ours.paths.map(withoutSlash).flatMap((base) => {
    // A proxy may serve us below a path of its own, and people write the address with our path or without.
    const prefix = publicPath.endsWith(base) ? publicPath.slice(0, publicPath.length - base.length) : publicPath;
    return [base, prefix + base];
  });
  const tails = projects.flatMap(({ name, source: { platform } }) => [
    platform,
    `${platform}/${encodeURIComponent(name)}`,
  ]);
  return bases.some((base) => tails.some((tail) => path === `${base}/${tail}`));
}

const withoutSlash = (path: string): string => path.replace(/\/+$/, '');
