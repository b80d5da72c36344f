/**
 * What our credential may do in the repository, asked without writing. Each kind tells in a way of its own: a classic
 * token by its scopes, an App by the permissions of its installation. A fine-grained token does not tell what it may
 * write; then the role of its account is all there is to see.
 */
import { z } from 'zod';
import type { AccessFact, AccessRight, Call } from '../contract.ts';
import { refusalIn } from '../session.ts';
import type { AskingApp, GitHubClient, GitHubSession } from './client.ts';
import { botLogin, userLogin } from './identity.ts';

/** See `TicketPlatform.checkAccess`. */
export function checkAccess(client: GitHubClient, call: Call): Promise<readonly AccessFact[]> {
  return client.run('check access', call, async (github) => {
    const signedIn = github.app === undefined ? await signInByToken(github) : await signInAsApp(github, github.app);
    if (signedIn.fact.granted === 'no') return [signedIn.fact];
    const seen = await lookAtRepository(client, github);
    if ('granted' in seen) return [signedIn.fact, seen, ...unseen()];
    const isApp = signedIn.issues !== undefined;
    const grant = isApp ? grantOfApp(signedIn.issues) : grantOfToken(seen);
    // An App acts by its permissions alone, a user's token by the role of the user too.
    const labelling = isApp ? grant : inRole(seen, grant);
    return [
      signedIn.fact,
      await lookAtIssues(github, seen),
      factOf('write-labels', seen, labelling),
      factOf('comment', seen, grant),
    ];
  });
}

interface SignedIn {
  readonly fact: AccessFact;
  /** What an App's installation may do to issues: `read`, `write` or nothing. */
  readonly issues?: string;
}

async function signInByToken(github: GitHubSession): Promise<SignedIn> {
  try {
    const login = await userLogin(github);
    return {
      fact: yes('sign-in', login === undefined ? "the token is no user's: a workflow's or an App's" : `as ${login}`),
    };
  } catch (error) {
    const refusal = refusalIn(error);
    const advice =
      'The token is wrong, revoked or has expired: make a new one and put it where the old one is read from.';
    return { fact: no('sign-in', refusal.message, advice) };
  }
}

const installationSchema = z.object({
  account: z.object({ login: z.string().optional() }).nullish(),
  permissions: z.record(z.string(), z.string()),
  suspended_at: z.string().nullish(),
});

async function signInAsApp(github: GitHubSession, { octokit, installationId }: AskingApp): Promise<SignedIn> {
  try {
    const login = await botLogin(github, { octokit, installationId });
    const { data } = await octokit.rest.apps.getInstallation({ installation_id: installationId });
    const { account, permissions, suspended_at } = github.read(installationSchema, data);
    const evidence = `as ${login}, installed by ${account?.login ?? 'somebody'}`;
    if (typeof suspended_at === 'string') {
      const advice = 'Have its owner unsuspend it: Settings, GitHub Apps, Configure.';
      return { fact: no('sign-in', `${evidence}; the installation is suspended`, advice) };
    }
    return { fact: yes('sign-in', evidence), issues: permissions.issues ?? 'none' };
  } catch (error) {
    const refusal = refusalIn(error);
    const advice =
      refusal.kind === 'not-found'
        ? 'This App has no such installation: installation_id is the number at the end of the address of its settings page.'
        : 'Check app_id, that private_key_file holds a key of this very App, and that the clock of this machine is right.';
    return { fact: no('sign-in', refusal.message, advice) };
  }
}

const repositorySchema = z.object({
  full_name: z.string(),
  private: z.boolean(),
  archived: z.boolean().default(false),
  has_issues: z.boolean().default(true),
  permissions: z.object({ triage: z.boolean().default(false), push: z.boolean().default(false) }).optional(),
});

interface Repository extends z.infer<typeof repositorySchema> {
  /** Of a classic token; undefined for every other kind. */
  readonly scopes: readonly string[] | undefined;
}

async function lookAtRepository(client: GitHubClient, github: GitHubSession): Promise<Repository | AccessFact> {
  try {
    const { data, headers } = await github.octokit.rest.repos.get(github.repository);
    const scopes = headers['x-oauth-scopes']?.split(',').map((scope) => scope.trim());
    return { ...github.read(repositorySchema, data), scopes };
  } catch (error) {
    const refusal = refusalIn(error);
    const advice =
      github.app === undefined
        ? 'Check the url. Classic token: give it the scope repo, and authorise it for an organisation with single sign-on. ' +
          'Fine-grained token: select this repository and give it Issues: read and write.'
        : 'Check the url, and add the repository to those that the installation may access.';
    return no('read-tickets', `${client.source.container} is not shown: ${refusal.message}`, advice);
  }
}

async function lookAtIssues(github: GitHubSession, repository: Repository): Promise<AccessFact> {
  const name = repository.full_name;
  if (!repository.has_issues) {
    return no('read-tickets', `${name} has its issues switched off`, "Switch them on in the repository's settings.");
  }
  try {
    await github.octokit.rest.issues.listForRepo({ ...github.repository, per_page: 1 });
    return yes('read-tickets', `the issues of ${name} are listed`);
  } catch (error) {
    return no('read-tickets', refusalIn(error).message, GIVE_ISSUES);
  }
}

/** What may be written, and how we know. */
type Grant = Pick<AccessFact, 'granted' | 'evidence' | 'advice'>;

const GIVE_ISSUES = 'Give it the permission Issues: read and write.';

function grantOfApp(issues: string): Grant {
  const evidence = `the installation has the permission issues: ${issues}`;
  if (issues === 'write') return { granted: 'yes', evidence };
  return { granted: 'no', evidence, advice: `${GIVE_ISSUES} The owner of the installation must accept the change.` };
}

function grantOfToken({ scopes, ...repository }: Repository): Grant {
  if (scopes === undefined) {
    return {
      granted: 'unknown',
      evidence: 'GitHub does not tell what a fine-grained token may write',
      advice: `Make sure that it has Issues: read and write; ${PROVE}`,
    };
  }
  const evidence = `the token has the scopes ${scopes.filter((scope) => scope !== '').join(', ') || '(none)'}`;
  if (scopes.includes('repo') || (!repository.private && scopes.includes('public_repo'))) {
    return { granted: 'yes', evidence };
  }
  return { granted: 'no', evidence, advice: `Give it the scope ${repository.private ? 'repo' : 'public_repo'}.` };
}

const PROVE = 'agent-smith doctor --write-test TICKET --project PROJECT tries it.';

/** Whoever may read issues may write under them; labels take a role of their own. */
function inRole({ permissions }: Repository, grant: Grant): Grant {
  if (grant.granted === 'no' || permissions === undefined || permissions.push) return grant;
  if (!permissions.triage) {
    const evidence = 'its account may only read the repository';
    return { granted: 'no', evidence, advice: 'Give the account the role Write in the repository.' };
  }
  return {
    granted: 'unknown',
    evidence: 'its account has the role Triage: it may set labels that exist, and create none',
    advice: `Give it the role Write, or create the five agent-smith:* labels by hand; ${PROVE}`,
  };
}

function factOf(right: AccessRight, { archived, full_name }: Repository, grant: Grant): AccessFact {
  if (!archived) return { right, ...grant };
  const advice = 'Unarchive it, or remove the project from the configuration.';
  return no(right, `${full_name} is archived and read-only`, advice);
}

/** What cannot be asked about a repository that is not shown. */
function unseen(): AccessFact[] {
  const unknown = { granted: 'unknown', evidence: 'not asked', advice: 'Put read-tickets right first.' } as const;
  return [
    { right: 'write-labels', ...unknown },
    { right: 'comment', ...unknown },
  ];
}

const yes = (right: AccessRight, evidence: string): AccessFact => ({ right, granted: 'yes', evidence });

const no = (right: AccessRight, evidence: string, advice: string): AccessFact => ({
  right,
  granted: 'no',
  evidence,
  advice,
});
