/**
 * The JSON that GitHub answers with: issues, labels, comments, events, users. Complete enough to satisfy the official
 * OpenAPI description; a test validates every one of them against it. Texts that are never read are left out.
 */
import {
  type Comment,
  fullNameOf,
  type Issue,
  type IssueEvent,
  type Label,
  type Repository,
  type User,
} from './state.ts';

/** Where the emulator listens. */
export interface Addresses {
  /** For people, `http://127.0.0.1:1234`. */
  readonly origin: string;
  /** Of the API, `http://127.0.0.1:1234/api/v3`. */
  readonly api: string;
}

export function userShape(at: Addresses, user: User) {
  // An App's is called `name[bot]`.
  const name = encodeURIComponent(user.login);
  const url = `${at.api}/users/${name}`;
  return {
    login: user.login,
    id: user.id,
    node_id: nodeId('User', user.id),
    avatar_url: `${at.origin}/avatars/u/${user.id}`,
    gravatar_id: '',
    url,
    html_url: `${at.origin}/${name}`,
    followers_url: `${url}/followers`,
    following_url: `${url}/following{/other_user}`,
    gists_url: `${url}/gists{/gist_id}`,
    starred_url: `${url}/starred{/owner}{/repo}`,
    subscriptions_url: `${url}/subscriptions`,
    organizations_url: `${url}/orgs`,
    repos_url: `${url}/repos`,
    events_url: `${url}/events{/privacy}`,
    received_events_url: `${url}/received_events`,
    type: user.login.endsWith('[bot]') ? 'Bot' : 'User',
    user_view_type: 'public',
    site_admin: false,
  };
}

export function labelShape(at: Addresses, repository: Repository, label: Label) {
  return {
    id: label.id,
    node_id: nodeId('Label', label.id),
    url: `${repositoryUrl(at, repository)}/labels/${encodeURIComponent(label.name)}`,
    name: label.name,
    color: label.color,
    default: false,
    description: label.description,
  };
}

export function issueLabelShapes(at: Addresses, issue: Issue) {
  return [...issue.labels.values()].map((label) => labelShape(at, issue.repository, label));
}

export function issueShape(at: Addresses, issue: Issue) {
  const { repository, number, closed } = issue;
  const url = issueUrl(at, issue);
  return {
    url,
    repository_url: repositoryUrl(at, repository),
    labels_url: `${url}/labels{/name}`,
    comments_url: `${url}/comments`,
    events_url: `${url}/events`,
    html_url: issuePage(at, issue),
    id: issue.id,
    node_id: nodeId(issue.isPullRequest ? 'PullRequest' : 'Issue', issue.id),
    number,
    title: issue.title,
    user: userShape(at, issue.user),
    labels: issueLabelShapes(at, issue),
    state: closed === undefined ? 'open' : 'closed',
    locked: false,
    assignee: null,
    assignees: [],
    milestone: null,
    comments: issue.comments.length,
    created_at: timestamp(issue.createdAtMs),
    updated_at: timestamp(issue.updatedAtMs),
    closed_at: closed === undefined ? null : timestamp(closed.atMs),
    closed_by: closed === undefined ? null : userShape(at, closed.by),
    author_association: 'MEMBER',
    active_lock_reason: null,
    body: issue.body,
    reactions: reactionsShape(url),
    timeline_url: `${url}/timeline`,
    performed_via_github_app: null,
    // `reopened` is described as a value; `null` for an issue that never was closed is what the real API sends.
    state_reason: closed?.reason ?? (issue.reopened ? 'reopened' : null),
    ...(issue.isPullRequest ? { draft: false, pull_request: pullRequestShape(at, issue) } : {}),
  };
}

export function commentShape(at: Addresses, issue: Issue, comment: Comment) {
  const url = `${repositoryUrl(at, issue.repository)}/issues/comments/${comment.id}`;
  return {
    url,
    html_url: `${issuePage(at, issue)}#issuecomment-${comment.id}`,
    issue_url: issueUrl(at, issue),
    id: comment.id,
    node_id: nodeId('IssueComment', comment.id),
    user: userShape(at, comment.user),
    created_at: timestamp(comment.createdAtMs),
    updated_at: timestamp(comment.createdAtMs),
    body: comment.body,
    author_association: 'MEMBER',
    reactions: reactionsShape(url),
    performed_via_github_app: null,
  };
}

export function eventShape(at: Addresses, issue: Issue, event: IssueEvent) {
  return {
    id: event.id,
    node_id: nodeId('IssueEvent', event.id),
    url: `${repositoryUrl(at, issue.repository)}/issues/events/${event.id}`,
    actor: userShape(at, event.actor),
    event: event.event,
    commit_id: null,
    commit_url: null,
    created_at: timestamp(event.createdAtMs),
    ...(event.label === undefined ? {} : { label: { name: event.label.name, color: event.label.color } }),
    performed_via_github_app: null,
  };
}

/** Address by name, as shapes show it. */
export function repositoryUrl(at: Addresses, repository: Repository): string {
  return `${at.api}/repos/${fullNameOf(repository)}`;
}

/** Address by number, as links and redirects show it. */
export function numericUrl(at: Addresses, repository: Repository): string {
  return `${at.api}/repositories/${repository.id}`;
}

export function issuePage(at: Addresses, issue: Issue): string {
  const folder = issue.isPullRequest ? 'pull' : 'issues';
  return `${at.origin}/${fullNameOf(issue.repository)}/${folder}/${issue.number}`;
}

/** ISO 8601 in whole seconds, like all of GitHub's times. */
export function timestamp(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');
}

export function nodeId(type: string, id: number): string {
  return Buffer.from(`${type.length}:${type}${id}`).toString('base64');
}

function issueUrl(at: Addresses, issue: Issue): string {
  return `${repositoryUrl(at, issue.repository)}/issues/${issue.number}`;
}

function pullRequestShape(at: Addresses, issue: Issue) {
  const page = issuePage(at, issue);
  return {
    url: `${repositoryUrl(at, issue.repository)}/pulls/${issue.number}`,
    html_url: page,
    diff_url: `${page}.diff`,
    patch_url: `${page}.patch`,
    merged_at: null,
  };
}

function reactionsShape(url: string) {
  return {
    url: `${url}/reactions`,
    total_count: 0,
    '+1': 0,
    '-1': 0,
    laugh: 0,
    hooray: 0,
    confused: 0,
    heart: 0,
    rocket: 0,
    eyes: 0,
  };
}
