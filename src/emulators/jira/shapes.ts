/** What the API shows of the state: the fields that clients read, in Jira's spelling. */
import { unreachable } from '../../foundation/errors.ts';
import type { Deployment } from './accounts.ts';
import { type Change, type Comment, type Issue, keyOf, type Project, type StatusCategory, type User } from './state.ts';

export interface Addresses {
  readonly deployment: Deployment;
  /** Of the API, in which addresses are told. */
  readonly version: 2 | 3;
  /** Base of the API with the context path. */
  readonly api: string;
  /** What people open. */
  readonly site: string;
}

const STATUSES: Readonly<
  Record<
    StatusCategory,
    { readonly id: number; readonly status: string; readonly category: string; readonly color: string }
  >
> = {
  new: { id: 2, status: 'Open', category: 'To Do', color: 'blue-gray' },
  indeterminate: { id: 4, status: 'Working on it', category: 'In Progress', color: 'yellow' },
  done: { id: 3, status: 'Closed', category: 'Done', color: 'green' },
};

/** The parts of an issue that can be asked for, by their ids. */
export const FIELDS = [
  'summary',
  'description',
  'labels',
  'status',
  'project',
  'creator',
  'created',
  'updated',
] as const;

type Field = (typeof FIELDS)[number];

/** @param fields ids of the wanted fields; `*all` and `*navigable` are all that there are. */
export function issueShape(at: Addresses, issue: Issue, fields: readonly string[]) {
  const all = fields.includes('*all') || fields.includes('*navigable');
  const wanted = FIELDS.filter((field) => (all || fields.includes(field)) && !fields.includes(`-${field}`));
  const shown = wanted.map((field) => [field, fieldShape(at, issue, field)] as const);
  return {
    expand: 'renderedFields,names,schema,operations,editmeta,changelog,versionedRepresentations',
    id: String(issue.id),
    self: `${restUrl(at)}/issue/${issue.id}`,
    key: keyOf(issue),
    fields: Object.fromEntries(shown),
  };
}

function fieldShape(at: Addresses, issue: Issue, field: Field): unknown {
  switch (field) {
    case 'summary':
    case 'description':
      return issue[field];
    case 'labels':
      return [...issue.labels];
    case 'status':
      return statusShape(at, issue.status);
    case 'project':
      return projectShape(at, issue.project);
    case 'creator':
      return userShape(at, issue.creator);
    case 'created':
      return timestamp(issue.createdAtMs);
    case 'updated':
      return timestamp(issue.updatedAtMs);
    default:
      return unreachable(field);
  }
}

function statusShape(at: Addresses, key: StatusCategory) {
  const { id, status, category, color } = STATUSES[key];
  return {
    self: `${restUrl(at)}/status/${id}`,
    description: '',
    name: status,
    id: String(id),
    statusCategory: { self: `${restUrl(at)}/statuscategory/${id}`, id, key, colorName: color, name: category },
  };
}

export function projectShape(at: Addresses, project: Project) {
  return {
    self: `${restUrl(at)}/project/${project.id}`,
    id: String(project.id),
    key: project.key,
    name: `Project ${project.key}`,
    projectTypeKey: 'software',
    simplified: false,
  };
}

/** Cloud knows people by an account id; Data Center by a name and a key. */
export function userShape(at: Addresses, { login, displayName }: User) {
  const named =
    at.deployment === 'cloud'
      ? {
          self: `${restUrl(at)}/user?accountId=${encodeURIComponent(login)}`,
          accountId: login,
          accountType: 'atlassian',
        }
      : { self: `${restUrl(at)}/user?username=${encodeURIComponent(login)}`, name: login, key: `JIRAUSER-${login}` };
  return { ...named, displayName, active: true, timeZone: 'Etc/UTC' };
}

export function commentShape(at: Addresses, issue: Issue, comment: Comment) {
  const author = userShape(at, comment.author);
  const created = timestamp(comment.createdAtMs);
  return {
    self: `${restUrl(at)}/issue/${issue.id}/comment/${comment.id}`,
    id: String(comment.id),
    author,
    body: comment.body,
    updateAuthor: author,
    created,
    updated: created,
    ...(at.deployment === 'cloud' ? { jsdPublic: true } : {}),
  };
}

export function changeShape(at: Addresses, change: Change) {
  return {
    id: String(change.id),
    author: userShape(at, change.author),
    created: timestamp(change.createdAtMs),
    items: [changeItemShape(at, change)],
  };
}

export function changeItemShape(at: Addresses, change: Change) {
  return {
    field: change.field,
    fieldtype: 'jira',
    ...(at.deployment === 'cloud' ? { fieldId: change.field.toLowerCase() } : {}),
    from: null,
    fromString: change.from,
    to: null,
    toString: change.to,
  };
}

/** With milliseconds and an offset without a colon, as Jira writes all of its times. */
function timestamp(ms: number): string {
  return new Date(ms).toISOString().replace('Z', '+0000');
}

export function restUrl(at: Addresses): string {
  return `${at.api}/rest/api/${at.version}`;
}

export function issuePage(at: Addresses, issue: Issue): string {
  return `${at.site}/browse/${keyOf(issue)}`;
}
