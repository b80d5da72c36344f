/** What our account may do in the project, as Jira itself says. Nothing is written to find out. */
import { z } from 'zod';
import type { AccessFact, AccessRight, Call } from '../contract.ts';
import { refusalIn } from '../session.ts';
import type { JiraClient, JiraSession } from './client.ts';
import { accountSchema } from './label-actor.ts';

const PERMISSIONS: readonly { readonly right: AccessRight; readonly permission: string; readonly name: string }[] = [
  { right: 'read-tickets', permission: 'BROWSE_PROJECTS', name: 'Browse Projects' },
  { right: 'write-labels', permission: 'EDIT_ISSUES', name: 'Edit Issues' },
  { right: 'comment', permission: 'ADD_COMMENTS', name: 'Add Comments' },
];

const permissionsSchema = z.object({
  permissions: z.record(z.string(), z.object({ havePermission: z.boolean().default(false) })),
});

/** See `TicketPlatform.checkAccess`. */
export function checkAccess(client: JiraClient, call: Call): Promise<readonly AccessFact[]> {
  return client.ask('check access', call, async (jira) => {
    const signIn = await checkSignIn(client, jira);
    return signIn.granted === 'no' ? [signIn] : [signIn, ...(await checkPermissions(client, jira))];
  });
}

async function checkSignIn({ isCloud }: JiraClient, jira: JiraSession): Promise<AccessFact> {
  const right = 'sign-in';
  try {
    const { displayName, accountId, name } = jira.read(accountSchema, await jira.cloud.getCurrentUser(jira.api));
    return {
      right,
      granted: 'yes',
      evidence: `signed in as ${displayName ?? 'somebody'} (${accountId ?? name ?? '?'})`,
    };
  } catch (error) {
    return {
      right,
      granted: 'no',
      evidence: refusalIn(error).message,
      advice: isCloud
        ? 'Make a new API token and set it beside the email of its account. A token with scopes needs api_url.'
        : 'Make a new personal access token: this one is wrong, revoked or has expired.',
    };
  }
}

async function checkPermissions({ source }: JiraClient, jira: JiraSession): Promise<AccessFact[]> {
  const { scope } = source;
  const where = scope === undefined ? 'in some project' : `in project ${scope}`;
  const asked = {
    permissions: PERMISSIONS.map(({ permission }) => permission).join(','),
    ...(scope === undefined ? {} : { projectKey: scope }),
  };
  try {
    const { permissions } = jira.read(permissionsSchema, await jira.cloud.getMyPermissions(jira.api, asked));
    return PERMISSIONS.map(({ right, permission, name }) =>
      permissions[permission]?.havePermission === true
        ? { right, granted: 'yes', evidence: `${name} ${where}${right === 'write-labels' ? SCREEN : ''}` }
        : {
            right,
            granted: 'no',
            evidence: `no ${name} ${where}`,
            advice: `Give the account the permission ${name} in the permission scheme of the project.`,
          },
    );
  } catch (error) {
    const { message } = refusalIn(error);
    const advice = `Check the project key, and give the account the permission Browse Projects ${where}.`;
    return [{ right: 'read-tickets', granted: 'no', evidence: message, advice }];
  }
}

/** No project can be asked for this, only an issue. */
const SCREEN = '; whether Labels is on the screen for editing shows when one is written';
