/** The JSON that GitLab answers with, as far as clients read it: issues, labels, notes, label events, users, projects. */
import { type Issue, type Label, type LabelEvent, type Note, type Project, ticketOf, type User } from './state.ts';
import type { Token } from './tokens.ts';

/** Where the emulator listens. */
export interface Addresses {
  /** For people, with the path prefix of the server: `http://127.0.0.1:1234/gitlab`. */
  readonly pages: string;
  /** Of the API, `http://127.0.0.1:1234/gitlab/api/v4`. */
  readonly api: string;
}

export function userShape(at: Addresses, { id, username }: User) {
  return {
    id,
    username,
    name: username,
    state: 'active',
    locked: false,
    avatar_url: null,
    web_url: `${at.pages}/${username}`,
  };
}

export function issueShape(at: Addresses, issue: Issue, withLabelDetails: boolean) {
  const self = `${at.api}/projects/${issue.project.id}/issues/${issue.iid}`;
  const labels = [...issue.labels.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  return {
    id: issue.id,
    iid: issue.iid,
    project_id: issue.project.id,
    title: issue.title,
    description: issue.description,
    state: issue.closed === undefined ? 'opened' : 'closed',
    created_at: timestamp(issue.createdAtMs),
    updated_at: timestamp(issue.updatedAtMs),
    closed_at: issue.closed === undefined ? null : timestamp(issue.closed.atMs),
    closed_by: issue.closed === undefined ? null : userShape(at, issue.closed.by),
    labels: withLabelDetails ? labels.map((label) => labelDetails(label)) : labels.map(({ name }) => name),
    milestone: null,
    assignees: [],
    author: userShape(at, issue.author),
    type: issue.type.toUpperCase(),
    issue_type: issue.type,
    user_notes_count: issue.notes.filter(({ system }) => !system).length,
    confidential: false,
    discussion_locked: null,
    web_url: issuePage(at, issue),
    references: { short: `#${issue.iid}`, relative: `#${issue.iid}`, full: ticketOf(issue) },
    moved_to_id: issue.movedTo?.id ?? null,
    _links: { self, notes: `${self}/notes`, project: `${at.api}/projects/${issue.project.id}` },
  };
}

export function issuePage(at: Addresses, issue: Issue): string {
  return `${at.pages}/${issue.project.path}/-/issues/${issue.iid}`;
}

export function labelShape(label: Label) {
  return { ...labelDetails(label), subscribed: false, priority: null, is_project_label: true };
}

function labelDetails({ id, name, color, description }: Label) {
  return { id, name, description, description_html: description ?? '', text_color: '#FFFFFF', color, archived: false };
}

export function noteShape(at: Addresses, issue: Issue, note: Note) {
  return {
    id: note.id,
    type: null,
    body: note.body,
    author: userShape(at, note.author),
    created_at: timestamp(note.createdAtMs),
    updated_at: timestamp(note.createdAtMs),
    system: note.system,
    noteable_id: issue.id,
    noteable_type: 'Issue',
    noteable_iid: issue.iid,
    project_id: issue.project.id,
    resolvable: false,
    confidential: false,
    internal: false,
  };
}

export function labelEventShape(at: Addresses, issue: Issue, event: LabelEvent) {
  return {
    id: event.id,
    user: userShape(at, event.user),
    created_at: timestamp(event.createdAtMs),
    resource_type: 'Issue',
    resource_id: issue.id,
    // A label that was deleted since has left its events behind.
    label: issue.project.labels.has(event.label.name) ? labelDetails(event.label) : null,
    action: event.action,
  };
}

export function projectShape(at: Addresses, project: Project, token: Token) {
  const level = { access_level: token.accessLevel, notification_level: 3 };
  const [name = ''] = project.path.split('/').slice(-1);
  return {
    id: project.id,
    name,
    path: name,
    path_with_namespace: project.path,
    description: null,
    created_at: timestamp(project.createdAtMs),
    default_branch: 'main',
    web_url: `${at.pages}/${project.path}`,
    visibility: 'private',
    archived: false,
    issues_enabled: true,
    issues_access_level: 'enabled',
    permissions: {
      project_access: token.membership === 'project' ? level : null,
      group_access: token.membership === 'group' ? level : null,
    },
  };
}

/** ISO 8601 with milliseconds, like all of GitLab's times. */
function timestamp(ms: number): string {
  return new Date(ms).toISOString();
}
