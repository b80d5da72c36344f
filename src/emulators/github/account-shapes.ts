/** The JSON of a repository and of the user behind a token: long, required by the official description, rarely read. */
import type { Window } from '../rate-windows.ts';
import { type Addresses, nodeId, repositoryUrl, timestamp, userShape } from './shapes.ts';
import { fullNameOf, type Repository, type User } from './state.ts';
import type { Token } from './tokens.ts';

const EPOCH = '2020-01-01T00:00:00Z';

/** Links of a repository that are its URL and a fixed ending. */
const REPOSITORY_LINKS = {
  archive_url: '/{archive_format}{/ref}',
  assignees_url: '/assignees{/user}',
  blobs_url: '/git/blobs{/sha}',
  branches_url: '/branches{/branch}',
  collaborators_url: '/collaborators{/collaborator}',
  comments_url: '/comments{/number}',
  commits_url: '/commits{/sha}',
  compare_url: '/compare/{base}...{head}',
  contents_url: '/contents/{+path}',
  contributors_url: '/contributors',
  deployments_url: '/deployments',
  downloads_url: '/downloads',
  events_url: '/events',
  forks_url: '/forks',
  git_commits_url: '/git/commits{/sha}',
  git_refs_url: '/git/refs{/sha}',
  git_tags_url: '/git/tags{/sha}',
  hooks_url: '/hooks',
  issue_comment_url: '/issues/comments{/number}',
  issue_events_url: '/issues/events{/number}',
  issues_url: '/issues{/number}',
  keys_url: '/keys{/key_id}',
  labels_url: '/labels{/name}',
  languages_url: '/languages',
  merges_url: '/merges',
  milestones_url: '/milestones{/number}',
  notifications_url: '/notifications{?since,all,participating}',
  pulls_url: '/pulls{/number}',
  releases_url: '/releases{/id}',
  stargazers_url: '/stargazers',
  statuses_url: '/statuses/{sha}',
  subscribers_url: '/subscribers',
  subscription_url: '/subscription',
  tags_url: '/tags',
  teams_url: '/teams',
  trees_url: '/git/trees{/sha}',
} as const;

/** As webhooks show it, too: without what depends on who looks. */
export function bareRepositoryShape(at: Addresses, repository: Repository) {
  const url = repositoryUrl(at, repository);
  const fullName = fullNameOf(repository);
  const page = `${at.origin}/${fullName}`;
  const host = new URL(at.origin).host;
  const open = repository.issues.filter((issue) => issue.closed === undefined && issue.gone === undefined).length;
  const links = Object.fromEntries(Object.entries(REPOSITORY_LINKS).map(([key, ending]) => [key, `${url}${ending}`]));
  return {
    ...links,
    id: repository.id,
    node_id: nodeId('Repository', repository.id),
    name: repository.name,
    full_name: fullName,
    owner: userShape(at, repository.owner),
    private: repository.isPrivate,
    visibility: repository.isPrivate ? 'private' : 'public',
    html_url: page,
    url,
    description: null,
    fork: false,
    homepage: null,
    language: null,
    license: null,
    mirror_url: null,
    default_branch: 'main',
    clone_url: `${page}.git`,
    git_url: `git://${host}/${fullName}.git`,
    ssh_url: `git@${host}:${fullName}.git`,
    svn_url: page,
    size: 0,
    archived: repository.archived,
    disabled: false,
    has_issues: repository.hasIssues,
    has_projects: true,
    has_wiki: true,
    has_pages: false,
    has_discussions: false,
    forks: 0,
    forks_count: 0,
    stargazers_count: 0,
    watchers: 0,
    watchers_count: 0,
    open_issues: open,
    open_issues_count: open,
    created_at: timestamp(repository.createdAtMs),
    updated_at: timestamp(repository.createdAtMs),
    pushed_at: timestamp(repository.createdAtMs),
  };
}

const permissionsOf = ({ canPush }: Token) => ({
  permissions: { admin: false, maintain: false, push: canPush, triage: canPush, pull: true },
});

/** The answer of `GET /repos/{owner}/{repo}`. */
export function repositoryShape(at: Addresses, repository: Repository, token: Token) {
  const counts = { network_count: 0, subscribers_count: 0 };
  return { ...bareRepositoryShape(at, repository), ...counts, ...permissionsOf(token) };
}

/** A repository in a list: some fields fewer, and one more. */
export function listedRepositoryShape(at: Addresses, repository: Repository, token: Token) {
  return { ...bareRepositoryShape(at, repository), has_downloads: true, ...permissionsOf(token) };
}

/** The answer of `GET /user`. */
export function authenticatedUserShape(at: Addresses, user: User) {
  return {
    ...userShape(at, user),
    name: user.login,
    company: null,
    blog: '',
    location: null,
    email: null,
    hireable: null,
    bio: null,
    public_repos: 0,
    public_gists: 0,
    followers: 0,
    following: 0,
    created_at: EPOCH,
    updated_at: EPOCH,
  };
}

/** The answer of `GET /rate_limit`. Only the core resource is limited here. */
export function rateLimitShape(core: Window) {
  const rate = (window: Omit<Window, 'resetAtMs'>) => ({
    limit: window.limit,
    used: window.used,
    remaining: window.remaining,
    reset: Math.ceil(core.resetAtMs / 1000),
  });
  return {
    resources: {
      core: rate(core),
      search: rate({ limit: 30, used: 0, remaining: 30 }),
      graphql: rate({ limit: 5000, used: 0, remaining: 5000 }),
    },
    rate: rate(core),
  };
}
