/** The JSON of a pull request. Here it is an issue with branches that nobody ever merges. */
import { hash } from 'node:crypto';
import { bareRepositoryShape } from './account-shapes.ts';
import { type Addresses, issueLabelShapes, issuePage, nodeId, repositoryUrl, timestamp, userShape } from './shapes.ts';
import type { Branches, Issue } from './state.ts';

/** As webhooks show it, and whoever asks for it. */
export function pullRequestShape(at: Addresses, issue: Issue) {
  return {
    ...simplePullRequestShape(at, issue),
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

/** As listings show it. */
export function simplePullRequestShape(at: Addresses, issue: Issue) {
  const { repository, number, closed } = issue;
  const { head, base } = branchesOf(issue);
  const url = `${repositoryUrl(at, repository)}/pulls/${number}`;
  const page = issuePage(at, issue);
  const links = linksOf(at, issue, url);
  const branch = (ref: string) => ({
    label: `${repository.owner.login}:${ref}`,
    ref,
    sha: shaOf(issue, ref),
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
    head: branch(head),
    base: branch(base),
    _links: Object.fromEntries(Object.entries(links).map(([name, href]) => [name, { href }])),
    author_association: 'MEMBER',
    auto_merge: null,
    active_lock_reason: null,
  };
}

export function branchesOf({ branches, number }: Issue): Branches {
  if (branches === undefined) throw new Error(`#${number} is no pull request`);
  return branches;
}

const shaOf = (issue: Issue, branch: string): string => hash('sha1', `${issue.id} ${branch}`);

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
    statuses: `${repository}/statuses/${shaOf(issue, branchesOf(issue).head)}`,
  };
}
