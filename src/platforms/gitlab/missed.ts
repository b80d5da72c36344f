/**
 * What GitLab could not deliver: its list of what each hook has sent in the last seven days (17.3), and its button to send
 * something again (17.4). Both take the role Maintainer. What happens while GitLab holds a hook back is in no list.
 */
import { z } from 'zod';
import { type Call, PlatformError } from '../contract.ts';
import type { ConnectOptions } from '../descriptor.ts';
import type { Dialect } from '../error-kinds.ts';
import type { HookState, MissedDeliveries, MissedDelivery } from '../missed-deliveries.ts';
import { createGitLabClient, type GitLabClient, type GitLabSession, pagesOf } from './client.ts';
import { gitlabDialect } from './errors.ts';
import { messageIn } from './webhook.ts';

/** GitLab refuses larger ones here, because each event holds what was sent. */
const PAGE_SIZE = 20;
/** Of one hook in one look. */
const MOST_PAGES = 50;

const DELIVERED = /^2\d\d$/;

const hookSchema = z.object({
  id: z.int(),
  url: z.string(),
  /** `executable`, `temporarily_disabled`, `disabled`. */
  alert_status: z.string().nullish(),
  disabled_until: z.string().nullish(),
});

type Hook = z.infer<typeof hookSchema>;

/** A number as text, or in words that there was no answer. Older servers send it as a number. */
const status = z.union([z.string(), z.number()]).transform(String);

const eventSchema = z.object({
  id: z.int(),
  response_status: status.catch(''),
  request_headers: z.object({ 'Idempotency-Key': z.string().optional() }).catch({}),
  /** As it was sent, or `{oversize: true}`. */
  request_data: z
    .looseObject({
      object_kind: z.string().optional().catch(undefined),
      object_attributes: z.looseObject({ updated_at: z.string().optional() }).optional().catch(undefined),
    })
    .catch({}),
  /** Older servers do not tell it. */
  created_at: z.string().nullish(),
});

type HookEvent = z.infer<typeof eventSchema>;

const resentSchema = z.object({ response_status: status });

/** Five a minute for each project: that says nothing about the other requests of the credential. */
const resendDialect: Dialect = {
  ...gitlabDialect,
  limit: (headers, code) => (code === 429 ? { only: 'path' } : (gitlabDialect.limit?.(headers, code) ?? {})),
};

/** @throws PlatformError `unsupported` for a credential other than a token. */
export function openGitLabMissedDeliveries(options: ConnectOptions): MissedDeliveries {
  const client = createGitLabClient(options);
  return {
    look: (question, call) =>
      client.run('look for missed deliveries', call, async (gitlab) => {
        const hooks = (await hooksOf(gitlab)).filter(({ url }) => question.isOurs(url));
        const missed: MissedDelivery[] = [];
        let isWhole = true;
        for (const hook of hooks) {
          const sent = await failuresOf(gitlab, hook, question.sinceMs);
          missed.push(...missedOf(client, hook, sent.failures, question.sinceMs));
          isWhole &&= sent.isWhole;
        }
        return {
          hooks: hooks.map(stateOf),
          missed: missed.toSorted((a, b) => a.atMs - b.atMs).slice(0, question.most),
          truncated: !isWhole || missed.length > question.most,
        };
      }),
  };
}

async function hooksOf(gitlab: GitLabSession): Promise<Hook[]> {
  const hooks: Hook[] = [];
  const list = (place: object) => gitlab.api.hooks.all(gitlab.project, { perPage: 100, ...place });
  for await (const page of pagesOf(gitlab, hookSchema, list)) hooks.push(...page);
  return hooks;
}

function stateOf({ id, alert_status: alert, disabled_until: until }: Hook): HookState {
  const untilMs = Date.parse(until ?? '');
  switch (alert ?? '') {
    case 'disabled':
      return {
        id: String(id),
        state: 'disabled',
        detail:
          'GitLab sends nothing any more after 40 failures in a row: mend the cause, then press Test in Settings > Webhooks',
      };
    case 'temporarily_disabled': {
      const end = Number.isNaN(untilMs) ? '' : ` until ${new Date(untilMs).toISOString()}`;
      const detail = `GitLab sends nothing${end} after 4 failures in a row or more: mend the cause, or press Test in Settings > Webhooks`;
      return { id: String(id), state: 'failing', detail };
    }
    default:
      return { id: String(id), state: 'active', detail: 'GitLab sends to it' };
  }
}

/**
 * Deliveries that have never arrived, by their id; of several attempts the first. All events are read, not only those that
 * a filter by status calls failures: what was never answered is missing there on older servers, and what has arrived later
 * has to be known anyhow.
 */
async function failuresOf(gitlab: GitLabSession, hook: Hook, sinceMs: number) {
  let isWhole = true;
  const failures = new Map<string, HookEvent>();
  const arrived = new Set<string>();
  let pages = 0;
  // Newest first.
  for await (const events of pagesOf(gitlab, eventSchema, listOf(gitlab, hook))) {
    isWhole = pages < MOST_PAGES;
    if (!isWhole) break;
    pages += 1;
    for (const event of events) {
      if (DELIVERED.test(event.response_status)) arrived.add(idOf(event));
      else if (!isOlder(event, sinceMs)) failures.set(idOf(event), event);
    }
    if (events.some((event) => isOlder(event, sinceMs))) break;
  }
  for (const id of arrived) failures.delete(id);
  return { failures, isWhole };
}

function listOf({ api, project }: GitLabSession, hook: Hook) {
  return async (place: object): Promise<unknown> => {
    const searchParams = { perPage: PAGE_SIZE, ...place };
    return (await api.hooks.requester.get(`${pathOf(project, hook)}/events`, { searchParams })).body;
  };
}

/** Below `projects/`, where gitbeaker's hooks are. */
const pathOf = (project: string | number, { id }: Hook): string => `${encodeURIComponent(project)}/hooks/${id}`;

/** Servers before 17.4 send no key. */
const idOf = ({ id, request_headers: headers }: HookEvent): string => headers['Idempotency-Key'] ?? `event-${id}`;

/** When it was sent, or at least when that happened which it tells; NaN when it shows neither. */
const timeOf = ({ created_at: created, request_data: data }: HookEvent): number =>
  Date.parse(created ?? data.object_attributes?.updated_at ?? '');

/** Without a time it counts as young: rather asked for once too often. */
const isOlder = (event: HookEvent, sinceMs: number): boolean => timeOf(event) < sinceMs;

function missedOf(
  client: GitLabClient,
  hook: Hook,
  failures: ReadonlyMap<string, HookEvent>,
  sinceMs: number,
): MissedDelivery[] {
  let resends = true;
  // As they were listed, but the oldest first, also of those that happened at the same moment.
  return [...failures].toReversed().map(([id, event]) => {
    const message = event.request_data.object_kind === undefined ? undefined : messageIn(event.request_data, id);
    return {
      id,
      hook: undefined,
      atMs: timeOf(event) || sinceMs,
      async again(call) {
        if (!resends && message !== undefined) return message;
        try {
          await resend(client, hook, event, call);
          return undefined;
        } catch (error) {
          // GitLab sends five a minute, nothing through a hook that it holds back, and it may not reach us at all. But it
          // has told us what it sent; only of what was too large for its list it has to send the whole.
          if (!(error instanceof PlatformError) || message === undefined || call.signal.aborted) throw error;
          resends = false;
          return message;
        }
      },
    };
  });
}

/** Resolves when it has arrived this time. GitLab waits for the receiver's answer. */
function resend(client: GitLabClient, hook: Hook, event: HookEvent, call: Call): Promise<void> {
  const send = async (gitlab: GitLabSession): Promise<void> => {
    const { body } = await gitlab.write((project) =>
      gitlab.api.hooks.requester.post(`${pathOf(project, hook)}/events/${event.id}/resend`),
    );
    const { response_status: code } = gitlab.read(resentSchema, body);
    if (!DELIVERED.test(code)) throw gitlab.error('unavailable', 'it was sent again and not taken');
  };
  return client.run(`resend event ${event.id} of hook ${hook.id}`, call, send, resendDialect);
}
