/** What GitLab's webhooks send: the payloads of issue and comment events, with the objects that the real ones hold. */

import type { IssueHappening, IssueSnapshot, NoteHappening } from './happenings.ts';
import { type Addresses, issuePage } from './shapes.ts';
import type { Issue, IssueType, Label, Project, User } from './state.ts';

const TYPE_NAMES: Readonly<Record<IssueType, string>> = {
  issue: 'Issue',
  incident: 'Incident',
  test_case: 'Test Case',
  task: 'Task',
};

const STATE_IDS = { opened: 1, closed: 2 } as const;

/** Every kind of issue but the plain one is a `work_item`. */
export function issuePayload(at: Addresses, { issue, action, by, before }: IssueHappening) {
  const kind = issue.type === 'issue' ? 'issue' : 'work_item';
  return {
    object_kind: kind,
    event_type: kind,
    user: userShape(by),
    project: projectShape(at, issue.project),
    object_attributes: { ...issueShape(at, issue), action },
    labels: labelsShape(issue.project, issue.labels.values()),
    changes: changesShape(issue, before),
    repository: repositoryShape(at, issue.project),
    assignees: [],
  };
}

export function notePayload(at: Addresses, { issue, note }: NoteHappening) {
  return {
    object_kind: 'note',
    event_type: 'note',
    user: userShape(note.author),
    project_id: issue.project.id,
    project: projectShape(at, issue.project),
    object_attributes: {
      id: note.id,
      note: note.body,
      description: note.body,
      noteable_type: 'Issue',
      noteable_id: issue.id,
      author_id: note.author.id,
      created_at: timestamp(note.createdAtMs),
      updated_at: timestamp(note.createdAtMs),
      project_id: issue.project.id,
      attachment: null,
      line_code: null,
      commit_id: '',
      type: null,
      system: note.system,
      internal: false,
      st_diff: null,
      action: 'create',
      url: `${issuePage(at, issue)}#note_${note.id}`,
    },
    repository: repositoryShape(at, issue.project),
    issue: issueShape(at, issue),
  };
}

function issueShape(at: Addresses, issue: Issue) {
  const state = stateOf(issue);
  return {
    id: issue.id,
    iid: issue.iid,
    title: issue.title,
    description: issue.description,
    type: TYPE_NAMES[issue.type],
    author_id: issue.author.id,
    assignee_id: null,
    assignee_ids: [],
    project_id: issue.project.id,
    milestone_id: null,
    moved_to_id: issue.movedTo?.id ?? null,
    duplicated_to_id: null,
    state,
    state_id: STATE_IDS[state],
    confidential: false,
    discussion_locked: null,
    due_date: null,
    weight: null,
    severity: 'unknown',
    created_at: timestamp(issue.createdAtMs),
    updated_at: timestamp(issue.updatedAtMs),
    closed_at: issue.closed === undefined ? null : timestamp(issue.closed.atMs),
    labels: labelsShape(issue.project, issue.labels.values()),
    url: issuePage(at, issue),
  };
}

/** What differs from before, as pairs; of a new issue everything does. */
function changesShape(issue: Issue, before: IssueSnapshot | undefined) {
  const updated = { updated_at: { previous: timestamp(before?.updatedAtMs), current: timestamp(issue.updatedAtMs) } };
  if (before === undefined) {
    const { id, iid, title, description, author, project } = issue;
    const fields = Object.entries({ id, iid, title, description, author_id: author.id, project_id: project.id });
    return {
      ...updated,
      ...Object.fromEntries(fields.map(([name, current]) => [name, { previous: null, current }])),
    };
  }
  const labels = [...issue.labels.values()];
  const wasOpen = before.closedAtMs === undefined;
  const isOpen = issue.closed === undefined;
  const sameLabels = labels.length === before.labels.length && labels.every((label) => before.labels.includes(label));
  return {
    ...updated,
    ...(before.title !== issue.title && { title: { previous: before.title, current: issue.title } }),
    ...(before.description !== issue.description && {
      description: { previous: before.description, current: issue.description },
    }),
    ...(wasOpen !== isOpen && {
      state_id: { previous: wasOpen ? 1 : 2, current: isOpen ? 1 : 2 },
      closed_at: { previous: timestamp(before.closedAtMs), current: timestamp(issue.closed?.atMs) },
    }),
    ...(!sameLabels && {
      labels: { previous: labelsShape(issue.project, before.labels), current: labelsShape(issue.project, labels) },
    }),
  };
}

function labelsShape(project: Project, labels: Iterable<Label>) {
  return [...labels].map(({ id, name, color, description }) => ({
    id,
    title: name,
    color,
    project_id: project.id,
    created_at: timestamp(project.createdAtMs),
    updated_at: timestamp(project.createdAtMs),
    template: false,
    description,
    type: 'ProjectLabel',
    group_id: null,
  }));
}

function projectShape(at: Addresses, project: Project) {
  const page = `${at.pages}/${project.path}`;
  const ssh = `git@${new URL(at.pages).hostname}:${project.path}.git`;
  return {
    id: project.id,
    name: lastOf(project.path),
    description: null,
    web_url: page,
    avatar_url: null,
    git_ssh_url: ssh,
    git_http_url: `${page}.git`,
    namespace: project.path.split('/').at(-2) ?? '',
    visibility_level: 0,
    path_with_namespace: project.path,
    default_branch: 'main',
    ci_config_path: null,
    homepage: page,
    url: ssh,
    ssh_url: ssh,
    http_url: `${page}.git`,
  };
}

function repositoryShape(at: Addresses, project: Project) {
  const { name, url, description, homepage } = projectShape(at, project);
  return { name, url, description, homepage };
}

function userShape({ id, username }: User) {
  return { id, name: username, username, avatar_url: null, email: '[REDACTED]' };
}

const stateOf = (issue: Issue): 'opened' | 'closed' => (issue.closed === undefined ? 'opened' : 'closed');

const lastOf = (path: string): string => path.split('/').at(-1) ?? path;

/** Unlike in the API, without milliseconds: `2026-01-01 00:00:00 UTC`. */
function timestamp(ms: number | undefined): string | null {
  return ms === undefined
    ? null
    : new Date(ms)
        .toISOString()
        .replace('T', ' ')
        .replace(/\.\d+Z$/, ' UTC');
}
