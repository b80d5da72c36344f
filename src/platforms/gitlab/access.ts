/**
 * What our token may do in the project: its scopes, and the role of its owner. Both are needed, and both can be asked
 * without writing; only a role by a group that the project was shared with is told by nobody.
 */
import { z } from 'zod';
import { type AccessFact, type AccessRight, type Call, PlatformError } from '../contract.ts';
import type { GitLabClient, GitLabSession } from './client.ts';
import { issueSchema } from './issue.ts';
import { userSchema } from './thread.ts';

/** Roles by their access level, those between two count as the lower one. */
const ROLES = [
  [50, 'Owner'],
  [40, 'Maintainer'],
  [30, 'Developer'],
  [20, 'Reporter'],
  [15, 'Planner'],
  [10, 'Guest'],
] as const;
/** May set labels on issues, and create them. */
const LABELLING_LEVEL = 15;
const COMMENTING_LEVEL = 10;

const NEW_TOKEN = 'Create a personal, project or group access token with the scope api, and set it for this project.';

const tokenSchema = z.object({ scopes: z.array(z.string()) });

const level = z.object({ access_level: z.int() }).nullish();
const projectSchema = z.object({
  archived: z.boolean().nullish(),
  permissions: z.object({ project_access: level, group_access: level }).nullish(),
});

type Grant = Pick<AccessFact, 'granted' | 'evidence' | 'advice'>;

/** See `TicketPlatform.checkAccess`. */
export function checkAccess(client: GitLabClient, call: Call): Promise<readonly AccessFact[]> {
  return client.run('check access', call, async (gitlab) => {
    const signIn = await checkSignIn(gitlab);
    if (signIn.granted === 'no') return [fact('sign-in', signIn)];
    const reading = await checkReading(gitlab);
    const scopes = await scopesOf(gitlab);
    const project = await projectOf(gitlab);
    return [
      fact('sign-in', signIn),
      fact('read-tickets', reading),
      fact('write-labels', grantOfWriting(scopes, project, LABELLING_LEVEL, 'Reporter')),
      fact('comment', grantOfWriting(scopes, project, COMMENTING_LEVEL, 'Guest')),
    ];
  });
}

const fact = (right: AccessRight, grant: Grant): AccessFact => ({ right, ...grant });

async function checkSignIn({ api, read }: GitLabSession): Promise<Grant> {
  const user = await answered(() => api.users.showCurrentUser());
  if ('refusal' in user) return { granted: 'no', evidence: user.refusal, advice: NEW_TOKEN };
  return { granted: 'yes', evidence: `signed in as ${read(userSchema, user.data).username}` };
}

async function checkReading({ api, project, read }: GitLabSession): Promise<Grant> {
  const list = await answered(() => api.issues.all({ projectId: project, perPage: 1 }));
  if ('refusal' in list) {
    const advice = `Check the path ${project}, switch its issues on, and make the token's owner a member: Reporter or more.`;
    return { granted: 'no', evidence: list.refusal, advice };
  }
  read(z.array(issueSchema), list.data);
  return { granted: 'yes', evidence: `issues of ${project} can be listed` };
}

/** Undefined for a token that cannot be asked about itself: an OAuth token, or a server before 15.5. */
async function scopesOf({ api, read }: GitLabSession): Promise<readonly string[] | undefined> {
  const token = await answered(() => api.tokens.show());
  return 'refusal' in token ? undefined : read(tokenSchema, token.data).scopes;
}

async function projectOf({ api, project, read }: GitLabSession): Promise<z.infer<typeof projectSchema> | undefined> {
  const shown = await answered(() => api.projects.show(project));
  return 'refusal' in shown ? undefined : read(projectSchema, shown.data);
}

function grantOfWriting(
  scopes: readonly string[] | undefined,
  project: z.infer<typeof projectSchema> | undefined,
  needed: number,
  role: string,
): Grant {
  if (scopes !== undefined && !scopes.includes('api')) {
    const evidence = `the token has the scope ${scopes.join(', ')}, which cannot write`;
    return { granted: 'no', evidence, advice: NEW_TOKEN };
  }
  if (project === undefined) {
    return { granted: 'unknown', evidence: 'the project is not shown', advice: 'Give the token access to it first.' };
  }
  if (project.archived === true) {
    return { granted: 'no', evidence: 'the project is archived', advice: 'Unarchive it, or watch it no longer.' };
  }
  const { project_access: own, group_access: inherited } = project.permissions ?? {};
  const accessLevel = Math.max(own?.access_level ?? 0, inherited?.access_level ?? 0);
  if (accessLevel === 0) {
    return {
      granted: 'unknown',
      evidence:
        "the token's owner is no member that GitLab tells of: a public project, a shared group or an administrator",
      advice: `If writing fails, make the owner of the token a member of the project: ${role} or more.`,
    };
  }
  const evidence = `access level ${accessLevel} (${ROLES.find(([from]) => from <= accessLevel)?.[1] ?? 'minimal'})`;
  if (accessLevel < needed) {
    return { granted: 'no', evidence, advice: `Give the owner of the token the role ${role} or more in the project.` };
  }
  return scopes === undefined
    ? { granted: 'unknown', evidence: `${evidence}; the scopes of this token cannot be asked`, advice: NEW_TOKEN }
    : { granted: 'yes', evidence: `${evidence}, scope api` };
}

/** The answer, or the words of a definite refusal; that the platform cannot be asked at all is thrown. */
async function answered(
  ask: () => Promise<unknown>,
): Promise<{ readonly data: unknown } | { readonly refusal: string }> {
  try {
    return { data: await ask() };
  } catch (error) {
    if (!(error instanceof PlatformError)) throw error;
    const isRefusal = error.kind === 'auth' || error.kind === 'not-found' || error.status === 400;
    if (isRefusal) return { refusal: error.message };
    throw error;
  }
}
