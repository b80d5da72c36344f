/**
 * What GitLab could not deliver: its list of what each hook has sent in the last seven days (17.3), and its button to send
 * something again (17.4). Both take the role Maintainer. What happens while GitLab holds a hook back is in no list.
 */
import { z } from 'zod';
import { type Call, PlatformError } from '../contract.ts';
import { neverArrived } from '../delivery-list.ts';
import type { ConnectOptions } from '../descriptor.ts';
import type { Dialect } from '../error-kinds.ts';
import { type MissedDeliveries, type MissedDelivery, missedAnswer } from '../missed-deliveries.ts';
import { createGitLabClient, type GitLabClient, type GitLabSession, pagesOf } from './client.ts';
import { gitlabDialect } from './errors.ts';
import { projectHooks } from './hooks.ts';
import { readGitLabMessage } from './webhook-message.ts';

/** GitLab refuses larger ones here, because each event holds what was sent. */
const PAGE_SIZE = 20;
/** Of one hook in one look. */
const MOST_PAGES = 50;

const DELIVERED = /^2\d\d$/;

/** A number as text, or in words that there was no answer. Older servers send it as a number. */
const status = z.union([z.string(), z.number()]).transform(String);

const eventSchema = z
  .object({
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
  })
  .transform(({ id, response_status, request_headers: headers, request_data: data, created_at: created }) => ({
    // Servers before 17.4 send no key.
    id: headers['Idempotency-Key'] ?? `event-${id}`,
    number: id,
    // When it was sent, or at least when that happened which it tells.
    atMs: Date.parse(created ?? data.object_attributes?.updated_at ?? ''),
    hasArrived: DELIVERED.test(response_status),
    payload: data.object_kind === undefined ? undefined : data,
  }));

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
        const { isOurs, sinceMs } = question;
        const hooks = await projectHooks(gitlab, isOurs);
        const missed: MissedDelivery[] = [];
        let isWhole = true;
        for (const { id: hook } of hooks) {
          const events = pagesOf(gitlab, eventSchema, eventsOf(gitlab, hook));
          const list = await neverArrived(events, { sinceMs, mostPages: MOST_PAGES });
          missed.push(...missedOf(client, hook, list.failed, sinceMs));
          isWhole &&= list.isWhole;
        }
        return missedAnswer(question, hooks, { missed, isWhole });
      }),
  };
}

function eventsOf({ api, project }: GitLabSession, hook: string) {
  return async (place: object): Promise<unknown> => {
    const searchParams = { perPage: PAGE_SIZE, ...place };
    return (await api.hooks.requester.get(`${pathOf(project, hook)}/events`, { searchParams })).body;
  };
}

/** Below `projects/`, where gitbeaker's hooks are. */
const pathOf = (project: string | number, hook: string): string => `${encodeURIComponent(project)}/hooks/${hook}`;

function missedOf(
  client: GitLabClient,
  hook: string,
  failed: readonly HookEvent[],
  sinceMs: number,
): readonly MissedDelivery[] {
  let resends = true;
  return failed.map((event) => {
    const { id, atMs, payload } = event;
    const message = payload === undefined ? undefined : readGitLabMessage(payload, id);
    return {
      id,
      hook: undefined,
      atMs: Number.isNaN(atMs) ? sinceMs : atMs,
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
function resend(client: GitLabClient, hook: string, { number }: HookEvent, call: Call): Promise<void> {
  const send = async (gitlab: GitLabSession): Promise<void> => {
    const { body } = await gitlab.write((project) =>
      gitlab.api.hooks.requester.post(`${pathOf(project, hook)}/events/${number}/resend`),
    );
    const { response_status: code } = gitlab.read(resentSchema, body);
    if (!DELIVERED.test(code)) throw gitlab.error('unavailable', 'it was sent again and not taken');
  };
  return client.run(`resend event ${number} of hook ${hook}`, call, send, resendDialect);
}
