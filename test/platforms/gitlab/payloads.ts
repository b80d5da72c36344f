/** Payloads as GitLab documents them, on an own server below a path. */

const label = (title: string, id = 206) => ({
  id,
  title,
  color: '#ffffff',
  project_id: 14,
  created_at: '2013-12-03T17:15:43Z',
  updated_at: '2013-12-03T17:15:43Z',
  template: false,
  description: null,
  type: 'ProjectLabel',
  group_id: 41,
});

const envelope = {
  user: { id: 1, name: 'Administrator', username: 'root', avatar_url: null, email: '[REDACTED]' },
  project: {
    id: 14,
    name: 'Diaspora',
    description: null,
    web_url: 'https://gitlab.corp:8443/code/Group/sub/diaspora',
    avatar_url: null,
    git_ssh_url: 'git@gitlab.corp:Group/sub/diaspora.git',
    git_http_url: 'https://gitlab.corp:8443/code/Group/sub/diaspora.git',
    namespace: 'sub',
    visibility_level: 20,
    path_with_namespace: 'Group/sub/diaspora',
    default_branch: 'main',
    ci_config_path: null,
    homepage: 'https://gitlab.corp:8443/code/Group/sub/diaspora',
  },
  repository: { name: 'Diaspora', url: 'git@gitlab.corp:Group/sub/diaspora.git', description: '', homepage: '' },
};

const issue = {
  id: 301,
  iid: 23,
  title: 'A ticket',
  description: 'with a description',
  type: 'Issue',
  author_id: 51,
  project_id: 14,
  state: 'opened',
  state_id: 1,
  confidential: false,
  created_at: '2013-12-03T17:15:43Z',
  updated_at: '2013-12-03T17:15:43Z',
  labels: [label('fix', 205), label('Platform')],
  url: 'https://gitlab.corp:8443/code/Group/sub/diaspora/-/issues/23',
};

/** The place that all of them name. */
export const PLACE = { host: 'gitlab.corp:8443', container: 'Group/sub/diaspora', id: '14' };

/** `Bug` was taken off, `fix` put on; `Platform` was there before. */
export const issuePayload = {
  object_kind: 'issue',
  event_type: 'issue',
  ...envelope,
  object_attributes: { ...issue, action: 'update' },
  labels: issue.labels,
  changes: {
    updated_at: { previous: '2017-09-15 16:50:55 UTC', current: '2017-09-15 16:52:00 UTC' },
    labels: { previous: [label('Bug', 204), label('Platform')], current: issue.labels },
  },
  assignees: [],
};

export const notePayload = {
  object_kind: 'note',
  event_type: 'note',
  ...envelope,
  project_id: 14,
  object_attributes: {
    id: 1241,
    note: 'Hello world',
    noteable_type: 'Issue',
    noteable_id: 301,
    author_id: 1,
    system: false,
    action: 'create',
    url: `${issue.url}#note_1241`,
  },
  issue,
};

export const mergeRequestPayload = {
  object_kind: 'merge_request',
  event_type: 'merge_request',
  ...envelope,
  object_attributes: {
    id: 99,
    iid: 1,
    title: 'Mend it',
    description: 'Closes #23 and #24',
    source_branch: 'mend',
    target_branch: 'main',
    source_project_id: 14,
    target_project_id: 14,
    state: 'opened',
    state_id: 1,
    action: 'open',
  },
  labels: [label('fix')],
  changes: {},
};

export const mergeRequestNotePayload = {
  ...notePayload,
  object_attributes: { ...notePayload.object_attributes, noteable_type: 'MergeRequest', noteable_id: 99 },
  issue: undefined,
  merge_request: mergeRequestPayload.object_attributes,
};

export const pushPayload = {
  object_kind: 'push',
  event_name: 'push',
  ref: 'refs/heads/main',
  ...envelope,
  commits: [],
};
