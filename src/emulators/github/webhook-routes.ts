/** Looking at the webhooks of a repository or of an App, at what they sent, and having it sent once more. */
import { linkTo } from '../pages.ts';
import { paginate } from './paging.ts';
import { lacksPermission, notFound, ok, type Reply } from './replies.ts';
import type { AppCall, RepositoryCall, Route } from './routes.ts';
import { numericUrl, timestamp } from './shapes.ts';
import type { Permission } from './tokens.ts';
import { hookConfigShape, hookShape, statusText } from './webhook-payloads.ts';
import type { Attempt, Hook, Webhooks } from './webhooks.ts';

const DELIVERIES = '/hooks/:hook/deliveries';
const APP_DELIVERIES = '/app/hook/deliveries';

export const webhookRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/hooks',
    scope: 'repository',
    operation: 'repos/list-webhooks',
    handle: (call) =>
      withRight(call, 'read', () => {
        const { at, repository, webhooks } = call;
        const page = paginate(webhooks.of(repository), call.query, `${numericUrl(at, repository)}/hooks`);
        const shapes = page.items.map((hook) => hookShape(at, repository, hook, hook.attempts.at(-1)?.status ?? null));
        return ok(shapes, page.headers);
      }),
  },
  {
    method: 'GET',
    path: DELIVERIES,
    scope: 'repository',
    operation: 'repos/list-webhook-deliveries',
    handle: (call) =>
      withHook(call, 'read', (hook) => {
        const url = `${numericUrl(call.at, call.repository)}/hooks/${hook.id}/deliveries`;
        return list(call.webhooks, hook, call.query, url);
      }),
  },
  {
    method: 'GET',
    path: `${DELIVERIES}/:delivery`,
    scope: 'repository',
    operation: 'repos/get-webhook-delivery',
    handle: (call) => withHook(call, 'read', (hook) => withAttempt(call, hook, (attempt) => ok(detailed(attempt)))),
  },
  {
    method: 'POST',
    path: `${DELIVERIES}/:delivery/attempts`,
    scope: 'repository',
    operation: 'repos/redeliver-webhook-delivery',
    handle: (call) => withHook(call, 'write', (hook) => withAttempt(call, hook, (one) => sendAgain(call, one))),
  },
  {
    method: 'GET',
    path: '/app/hook/config',
    scope: 'app',
    operation: 'apps/get-webhook-config-for-app',
    handle: (call) => withAppHook(call, (hook) => ok(hookConfigShape(hook))),
  },
  {
    method: 'GET',
    path: APP_DELIVERIES,
    scope: 'app',
    operation: 'apps/list-webhook-deliveries',
    handle: (call) =>
      withAppHook(call, (hook) => list(call.webhooks, hook, call.query, `${call.at.api}${APP_DELIVERIES}`)),
  },
  {
    method: 'GET',
    path: `${APP_DELIVERIES}/:delivery`,
    scope: 'app',
    operation: 'apps/get-webhook-delivery',
    handle: (call) => withAppHook(call, (hook) => withAttempt(call, hook, (attempt) => ok(detailed(attempt)))),
  },
  {
    method: 'POST',
    path: `${APP_DELIVERIES}/:delivery/attempts`,
    scope: 'app',
    operation: 'apps/redeliver-webhook-delivery',
    handle: (call) => withAppHook(call, (hook) => withAttempt(call, hook, (one) => sendAgain(call, one))),
  },
];

/** Scopes of a classic token with which it may look at webhooks, and have them send again. */
const HOOK_SCOPES: Readonly<Record<'read' | 'write', readonly string[]>> = {
  read: ['repo', 'admin:repo_hook', 'write:repo_hook', 'read:repo_hook'],
  write: ['repo', 'admin:repo_hook', 'write:repo_hook'],
};

function withRight(call: RepositoryCall, needed: 'read' | 'write', handle: () => Reply): Reply {
  const { scopes, webhooks } = call.token;
  const granted: readonly Permission[] = needed === 'read' ? ['read', 'write'] : ['write'];
  const isGranted = granted.includes(webhooks);
  // Of a classic token's account that does not own the repository, GitHub does not say what it lacks.
  if (scopes !== undefined) {
    return isGranted && scopes.some((scope) => HOOK_SCOPES[needed].includes(scope)) ? handle() : notFound;
  }
  return isGranted ? handle() : lacksPermission(call.token, `repository_hooks=${needed}`);
}

function withHook(call: RepositoryCall, needed: 'read' | 'write', handle: (hook: Hook) => Reply): Reply {
  return withRight(call, needed, () => {
    const hook = call.webhooks.of(call.repository).find(({ id }) => String(id) === call.params.hook);
    return hook === undefined ? notFound : handle(hook);
  });
}

function withAppHook(call: AppCall, handle: (hook: Hook) => Reply): Reply {
  const hook = call.webhooks.ofApp(call.app);
  return hook === undefined ? notFound : handle(hook);
}

type DeliveryCall = Pick<RepositoryCall, 'params' | 'webhooks'>;

function withAttempt({ webhooks, params }: DeliveryCall, hook: Hook, handle: (attempt: Attempt) => Reply): Reply {
  const attempt = webhooks.attempts(hook).find(({ id }) => String(id) === params.delivery);
  return attempt === undefined ? notFound : handle(attempt);
}

function sendAgain({ webhooks }: DeliveryCall, attempt: Attempt): Reply {
  webhooks.redeliver(attempt);
  return { status: 202, body: {} };
}

/** By cursor, which names the delivery that a page begins with: new ones come in before it all the time. */
function list(webhooks: Webhooks, hook: Hook, query: URLSearchParams, url: string): Reply {
  const status = query.get('status');
  const all = webhooks.attempts(hook).filter((attempt) => status === null || status === outcomeOf(attempt));
  const cursor = query.get('cursor');
  const start = cursor === null ? 0 : all.findIndex(({ id }) => cursor === `v1_${id}`);
  const perPage = Math.min(Number(query.get('per_page') ?? 30), 100);
  const next = start < 0 ? undefined : all[start + perPage];
  const shapes = start < 0 ? [] : all.slice(start, start + perPage).map(listed);
  return ok(shapes, next === undefined ? {} : { link: linkTo(url, query, { cursor: `v1_${next.id}` }, 'next') });
}

/** As the parameter `status` has it: what got no answer is neither. */
function outcomeOf({ status }: Attempt): 'success' | 'failure' | undefined {
  if (status === undefined) return undefined;
  return status < 400 ? 'success' : 'failure';
}

function listed(attempt: Attempt) {
  const { outgoing, status } = attempt;
  return {
    id: attempt.id,
    guid: outgoing.id,
    delivered_at: timestamp(attempt.atMs),
    redelivery: attempt.isRedelivery,
    duration: attempt.durationMs / 1000,
    status: status === undefined ? 'failed to connect to host' : statusText(status),
    status_code: status ?? 0,
    event: attempt.event,
    action: attempt.action,
    installation_id: attempt.installationId,
    repository_id: attempt.repositoryId,
    throttled_at: null,
  };
}

function detailed(attempt: Attempt) {
  const { outgoing, payload, answer } = attempt;
  return {
    ...listed(attempt),
    url: outgoing.url,
    request: { headers: outgoing.headers, payload },
    response: { headers: {}, payload: answer },
  };
}
