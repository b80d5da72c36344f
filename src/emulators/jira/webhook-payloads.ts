/**
 * The bodies of Jira's webhooks. They speak version 2 of the API on both deployments, so rich text is a string, and on
 * Cloud their addresses are the site's own, never those of the gateway.
 */
import { unreachable } from '../../foundation/errors.ts';
import { textOf } from './rich-text.ts';
import { type Addresses, changeItemShape, commentShape, issueShape, restUrl, userShape } from './shapes.ts';
import type { Change, Comment, Happening, Issue, User } from './state.ts';

export interface WebhookPayload {
  readonly timestamp: number;
  readonly webhookEvent: string;
  readonly [field: string]: unknown;
}

/** What of an issue a comment on Cloud comes with: no labels. */
const FIELDS_BESIDE_COMMENT = ['summary', 'project', 'status'];

/** One for each event that the happening is. */
export function payloadsOf(addresses: Addresses, happening: Happening, nowMs: number): WebhookPayload[] {
  const at: Addresses = { ...addresses, version: 2, api: addresses.site };
  const { kind, issue, by } = happening;
  const aboutIssue = (webhookEvent: string, issueEvent: string, more: object = {}): WebhookPayload => ({
    timestamp: nowMs,
    webhookEvent,
    issue_event_type_name: issueEvent,
    user: personShape(at, by),
    issue: wholeIssue(at, issue),
    ...more,
  });
  switch (kind) {
    case 'created':
      return [aboutIssue('jira:issue_created', 'issue_created')];
    case 'deleted':
      return [aboutIssue('jira:issue_deleted', 'issue_deleted')];
    case 'updated':
      return [aboutIssue('jira:issue_updated', issueEventOf(happening.changes), changelogOf(at, happening.changes))];
    case 'commented': {
      const comment = plainComment(at, issue, happening.comment);
      const told = { timestamp: nowMs, webhookEvent: 'comment_created', comment };
      if (at.deployment === 'cloud') {
        return [{ ...told, issue: issueShape(at, issue, FIELDS_BESIDE_COMMENT), eventType: 'primaryAction' }];
      }
      return [told, aboutIssue('jira:issue_updated', 'issue_commented', { comment })];
    }
    default:
      return unreachable(kind);
  }
}

/** As the workflows that Jira comes with call it. */
function issueEventOf(changes: readonly Change[]): string {
  const fields = changes.map(({ field }) => field);
  if (fields.includes('project')) return 'issue_moved';
  return fields.includes('status') ? 'issue_generic' : 'issue_updated';
}

function changelogOf(at: Addresses, changes: readonly Change[]) {
  return { changelog: { id: String(changes[0]?.id), items: changes.map((change) => changeItemShape(at, change)) } };
}

function wholeIssue(at: Addresses, issue: Issue) {
  const { fields, ...shape } = issueShape(at, issue, ['*all']);
  return {
    ...shape,
    fields: {
      ...fields,
      description: issue.description === null ? null : textOf(issue.description),
      issuetype: {
        self: `${restUrl(at)}/issuetype/10001`,
        id: '10001',
        name: 'Task',
        description: 'A small, distinct piece of work.',
        subtask: false,
      },
      priority: { self: `${restUrl(at)}/priority/3`, id: '3', name: 'Medium' },
      reporter: personShape(at, issue.creator),
      assignee: null,
      resolution: null,
      components: [],
      fixVersions: [],
      issuelinks: [],
      subtasks: [],
      attachment: [],
      watches: { self: `${restUrl(at)}/issue/${issue.id}/watchers`, watchCount: 0, isWatching: false },
    },
  };
}

function plainComment(at: Addresses, issue: Issue, comment: Comment) {
  return { ...commentShape(at, issue, comment), body: textOf(comment.body) };
}

function personShape(at: Addresses, user: User) {
  const avatar = (size: number): string => `${at.site}/secure/useravatar?size=${size}&avatarId=10338`;
  return {
    ...userShape(at, user),
    avatarUrls: { '48x48': avatar(48), '32x32': avatar(32), '24x24': avatar(24), '16x16': avatar(16) },
  };
}
