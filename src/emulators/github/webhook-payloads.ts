/** The JSON that GitHub's webhooks send, complete enough for the official description of them; a test holds it to that. */
import { unreachable } from '../../foundation/errors.ts';
import { bareRepositoryShape } from './account-shapes.ts';
import { pullRequestShape } from './pull-request-shape.ts';
import { type Addresses, commentShape, issueShape, labelShape, repositoryUrl, timestamp, userShape } from './shapes.ts';
import type { Happening, Issue, Repository } from './state.ts';

/** What one delivery tells, whichever hook it goes by. */
export interface WebhookEvent {
  /** Sent as `X-GitHub-Event`. */
  readonly event: string;
  readonly action: string | null;
  readonly payload: Readonly<Record<string, unknown>>;
}

/** A hook as its settings show it. */
export interface HookFacts {
  readonly id: number;
  readonly url: string;
  readonly hasSecret: boolean;
  readonly contentType: 'json' | 'form';
  readonly events: readonly string[];
  readonly active: boolean;
  readonly createdAtMs: number;
}

export function eventOf(at: Addresses, happening: Happening): WebhookEvent {
  const { issue, by } = happening;
  const about = { repository: webhookRepositoryShape(at, issue.repository), sender: userShape(at, by) };
  if (happening.action === 'commented') {
    const comment = commentShape(at, issue, happening.comment);
    const payload = { action: 'created', issue: webhookIssueShape(at, issue), comment, ...about };
    return { event: 'issue_comment', action: 'created', payload };
  }
  const { action } = happening;
  const details = detailsOf(at, happening);
  if (!issue.isPullRequest) {
    const payload = { action, issue: webhookIssueShape(at, issue), ...details, ...about };
    return { event: 'issues', action, payload };
  }
  const pull = { number: issue.number, pull_request: pullRequestShape(at, issue) };
  return { event: 'pull_request', action, payload: { action, ...pull, ...details, ...about } };
}

/** What stands beside the issue, by what happened to it. */
function detailsOf(at: Addresses, happening: Exclude<Happening, { action: 'commented' }>): Record<string, unknown> {
  switch (happening.action) {
    case 'labeled':
    case 'unlabeled':
      return { label: labelShape(at, happening.issue.repository, happening.label) };
    case 'edited': {
      const changed = Object.entries(happening.before).map(([field, from]) => [field, { from }]);
      return { changes: Object.fromEntries(changed) };
    }
    case 'opened': {
      const { transferredFrom: old } = happening;
      if (old === undefined) return {};
      const old_repository = webhookRepositoryShape(at, old.repository);
      return { changes: { old_issue: webhookIssueShape(at, old), old_repository } };
    }
    case 'transferred': {
      const { to } = happening;
      const new_repository = webhookRepositoryShape(at, to.repository);
      return { changes: { new_issue: webhookIssueShape(at, to), new_repository } };
    }
    case 'closed':
    case 'reopened':
    case 'deleted':
      return {};
    default:
      return unreachable(happening);
  }
}

/** Sent when the hook is made. */
export function pingOf(at: Addresses, repository: Repository, hook: HookFacts): WebhookEvent {
  const payload = {
    zen: 'Anything added dilutes everything else.',
    hook_id: hook.id,
    hook: hookShape(at, repository, hook, null),
    repository: webhookRepositoryShape(at, repository),
    sender: userShape(at, repository.owner),
  };
  return { event: 'ping', action: null, payload };
}

/** A hook of a repository. @param lastStatus what its last delivery was answered with; null before the first */
export function hookShape(at: Addresses, repository: Repository, hook: HookFacts, lastStatus: number | null) {
  const url = `${repositoryUrl(at, repository)}/hooks/${hook.id}`;
  return {
    type: 'Repository',
    id: hook.id,
    name: 'web',
    active: hook.active,
    events: hook.events,
    config: hookConfigShape(hook),
    updated_at: timestamp(hook.createdAtMs),
    created_at: timestamp(hook.createdAtMs),
    url,
    test_url: `${url}/test`,
    ping_url: `${url}/pings`,
    deliveries_url: `${url}/deliveries`,
    last_response: {
      code: lastStatus,
      status: lastStatus === null ? 'unused' : 'active',
      message: lastStatus === null ? null : statusText(lastStatus),
    },
  };
}

export function hookConfigShape({ url, hasSecret, contentType }: HookFacts) {
  return { content_type: contentType, insecure_ssl: '0', ...(hasSecret && { secret: '********' }), url };
}

/** What the list of deliveries says of an answer. */
export function statusText(code: number): string {
  return code >= 200 && code < 300 ? 'OK' : `Invalid HTTP Response: ${code}`;
}

function webhookIssueShape(at: Addresses, issue: Issue) {
  const { closed_by: _unsaid, ...shape } = issueShape(at, issue);
  return shape;
}

function webhookRepositoryShape(at: Addresses, repository: Repository) {
  return {
    ...bareRepositoryShape(at, repository),
    has_downloads: true,
    allow_forking: true,
    is_template: false,
    topics: [],
    web_commit_signoff_required: false,
    custom_properties: {},
  };
}
