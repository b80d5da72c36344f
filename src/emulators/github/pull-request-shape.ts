/** The JSON of a pull request as webhooks show it. Here it is an issue with branches that nobody ever merges. */
import { hash } from 'node:crypto';
import { bareRepositoryShape } from './account-shapes.ts';
import { type Addresses, issueLabelShapes, issuePage, nodeId, repositoryUrl, timestamp, userShape } from './shapes.ts';
import type { Issue } from './state.ts';

export function pullRequestShape(at: Addresses, issue: Issue) {
  const { repository, number, closed } = issue;
  const url = `${repositoryUrl(at, repository)}/pulls/${number}`;
  const page = issuePage(at, issue);
  const links = linksOf(at, issue, url);
  const branch = (ref: string) => ({
    label: `${repository.owner.login}:${ref}`,
    ref,
    sha: hash('sha1', `${issue.id} ${ref}`),
    user: userShape(at, repository.owner),
    repo: { ...bareRepositoryShape(at, repository), has_downloads: true, topics: [] },
  });
  return {
    url,
    id: issue.id,
    node_id: nodeId('PullRequest', issue.id),
    html_url: page,
    diff_url: `${page}.diff`,
    patch_url: `${page}.patch`,
    issue_url: links.issue,
    number,
    state: closed === undefined ? 'open' : 'closed',
    locked: false,
    title: issue.title,
    user: userShape(at, issue.user),
    body: issue.body,
    created_at: timestamp(issue.createdAtMs),
    updated_at: timestamp(issue.updatedAtMs),
    closed_at: closed === undefined ? null : timestamp(closed.atMs),
    merged_at: null,
    merge_commit_sha: null,
    assignee: null,
    assignees: [],
    requested_reviewers: [],
    requested_teams: [],
    labels: issueLabelShapes(at, issue),
    milestone: null,
    draft: false,
    commits_url: links.commits,
    review_comments_url: links.review_comments,
    review_comment_url: links.review_comment,
    comments_url: links.comments,
    statuses_url: links.statuses,
    head: branch(`change-${number}`),
    base: branch('main'),
    _links: Object.fromEntries(Object.entries(links).map(([name, href]) => [name, { href }])),
    author_association: 'MEMBER',
    auto_merge: null,
    active_lock_reason: null,
    merged: false,
    mergeable: null,
    rebaseable: null,
    mergeable_state: 'unknown',
    merged_by: null,
    comments: issue.comments.length,
    review_comments: 0,
    maintainer_can_modify: false,
    commits: 1,
    additions: 1,
    deletions: 0,
    changed_files: 1,
  };
}

function linksOf(at: Addresses, issue: Issue, url: string) {
  const repository = repositoryUrl(at, issue.repository);
  return {
    self: url,
    html: issuePage(at, issue),
    issue: `${repository}/issues/${issue.number}`,
    comments: `${repository}/issues/${issue.number}/comments`,
    review_comments: `${url}/comments`,
    review_comment: `${repository}/pulls/comments{/number}`,
    commits: `${url}/commits`,
    statuses: `${repository}/statuses/${hash('sha1', `${issue.id} change-${issue.number}`)}`,
  };
}
