/** Webhooks of a project, what was sent through them, and sending it again: for maintainers alone. */

import { paginate } from './paging.ts';
import { badParameter, created, forbidden, notFound, type Reply, refused } from './replies.ts';
import type { ProjectCall, Route } from './routes.ts';
import { ACCESS_LEVELS } from './tokens.ts';
import type { Hook } from './webhooks.ts';

const KEPT_MS = 7 * 86_400_000;
/** Unlike everywhere else a larger one is refused. */
const MAX_EVENTS_PER_PAGE = 20;

type Attempt = Hook['attempts'][number];

export const webhookRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/hooks',
    scope: 'project',
    operation: 'hooks/list',
    handle: (call) =>
      asMaintainer(call, () => {
        const { webhooks, project, query, url } = call;
        return paginate({ all: webhooks.of(project), query, url, shape: (hook) => hookShape(call, hook) });
      }),
  },
  {
    method: 'GET',
    path: '/hooks/:hook/events',
    scope: 'project',
    operation: 'hooks/events',
    handle: (call) => withHook(call, (hook) => listEvents(call, hook)),
  },
  {
    method: 'POST',
    path: '/hooks/:hook/events/:event/resend',
    scope: 'project',
    operation: 'hooks/resend',
    handle: (call) => withHook(call, (hook) => resend(call, hook)),
  },
];

function asMaintainer({ token }: ProjectCall, handle: () => Reply): Reply {
  return token.accessLevel >= ACCESS_LEVELS.maintainer ? handle() : forbidden;
}

function withHook(call: ProjectCall, handle: (hook: Hook) => Reply): Reply {
  return asMaintainer(call, () => {
    const hook = call.webhooks.of(call.project).find(({ id }) => String(id) === call.params.hook);
    return hook === undefined ? notFound() : handle(hook);
  });
}

/** Newest first. */
function listEvents({ query, url, nowMs }: ProjectCall, { attempts }: Hook): Reply {
  const perPage = Number(query.get('per_page') ?? MAX_EVENTS_PER_PAGE);
  if (!(perPage >= 1 && perPage <= MAX_EVENTS_PER_PAGE)) return badParameter('per_page does not have a valid value');
  if (query.has('status')) return refused(501, 'The emulator does not know the parameter status');
  const all = attempts.filter(({ atMs }) => atMs >= nowMs() - KEPT_MS).reverse();
  return paginate({ all, query, url, shape: eventShape });
}

/** The real one waits for the answer and tells of it; here it is told that all went well, and what came shows later. */
function resend({ webhooks, project, params, token }: ProjectCall, hook: Hook): Reply {
  if (!webhooks.mayResend(project, token.id)) {
    return {
      status: 429,
      body: { message: { error: 'This endpoint has been requested too many times. Try again later.' } },
    };
  }
  const attempt = hook.attempts.find(({ id }) => String(id) === params.event);
  if (attempt === undefined) return notFound();
  if (webhooks.status(hook) !== 'executable') return refused(422, 'Hook disabled');
  webhooks.again(attempt);
  return created({ response_status: 200 });
}

function hookShape({ webhooks }: ProjectCall, hook: Hook) {
  return {
    id: hook.id,
    url: hook.url,
    name: 'Agent Smith',
    description: null,
    created_at: new Date(hook.createdAtMs).toISOString(),
    project_id: hook.project.id,
    push_events: false,
    tag_push_events: false,
    issues_events: true,
    confidential_issues_events: true,
    note_events: true,
    confidential_note_events: true,
    merge_requests_events: true,
    enable_ssl_verification: true,
    alert_status: webhooks.status(hook),
    disabled_until: hook.heldUntilMs === undefined ? null : new Date(hook.heldUntilMs).toISOString(),
    url_variables: [],
    custom_webhook_template: null,
    custom_headers: [],
  };
}

function eventShape({ id, delivery, status, body, atMs }: Attempt) {
  return {
    id,
    url: delivery.url,
    trigger: `${delivery.event.toLowerCase().replace(' ', '_')}s`,
    request_headers: {
      ...delivery.headers,
      ...('X-Gitlab-Token' in delivery.headers && { 'X-Gitlab-Token': '[REDACTED]' }),
    },
    request_data: JSON.parse(delivery.body),
    response_headers: {},
    response_body: body,
    execution_duration: 0.1,
    response_status: status === undefined ? 'internal error' : String(status),
    created_at: new Date(atMs).toISOString(),
  };
}
