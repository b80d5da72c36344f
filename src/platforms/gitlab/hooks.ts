/** The webhooks of the project that send to us. To see them takes the role Maintainer. */
import { z } from 'zod';
import { firstPages } from '../delivery-list.ts';
import type { HookState, MissedQuestion } from '../missed-deliveries.ts';
import { type GitLabSession, pagesOf } from './client.ts';

/** Three hundred hooks. */
const MOST_PAGES = 3;

const hookSchema = z.object({
  id: z.int(),
  url: z.string(),
  /** `executable`, `temporarily_disabled`, `disabled`. */
  alert_status: z.string().nullish(),
  disabled_until: z.string().nullish(),
});

/** @throws PlatformError `auth` when the credential may not look at them. */
export async function projectHooks(
  gitlab: GitLabSession,
  isOurs: MissedQuestion['isOurs'],
): Promise<readonly HookState[]> {
  const list = (place: object) => gitlab.api.hooks.all(gitlab.project, { perPage: 100, ...place });
  const { items } = await firstPages(pagesOf(gitlab, hookSchema, list), MOST_PAGES);
  return items.filter(({ url }) => isOurs(url)).map((hook) => ({ id: String(hook.id), ...stateOf(hook) }));
}

function stateOf({ alert_status: alert, disabled_until: until }: z.infer<typeof hookSchema>): Omit<HookState, 'id'> {
  const untilMs = Date.parse(until ?? '');
  switch (alert ?? '') {
    case 'disabled':
      return {
        state: 'disabled',
        detail:
          'GitLab sends nothing any more after 40 failures in a row: mend the cause, then press Test in Settings > Webhooks',
      };
    case 'temporarily_disabled': {
      const end = Number.isNaN(untilMs) ? '' : ` until ${new Date(untilMs).toISOString()}`;
      const detail = `GitLab sends nothing${end} after 4 failures in a row or more: mend the cause, or press Test in Settings > Webhooks`;
      return { state: 'failing', detail };
    }
    default:
      return { state: 'active', detail: 'GitLab sends to it' };
  }
}
