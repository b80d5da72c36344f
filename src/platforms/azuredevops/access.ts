/**
 * What the credential may do, asked without writing. Two things have to allow a write, and each is seen elsewhere: the
 * permissions of the account are evaluated by the server for whoever asks; the scopes of a token are not told at all, but
 * a change that is sent only for validation passes them or does not.
 */
import { z } from 'zod';
import { hasLabel, LIFECYCLES, lifecycleLabel } from '../../domain/lifecycle.ts';
import { unreachable } from '../../foundation/errors.ts';
import { type AccessFact, type Call, PlatformError } from '../contract.ts';
import type { AzureDevOpsClient, AzureDevOpsSession } from './client.ts';
import { askIdentity } from './identity.ts';
import { readWorkItem } from './labels.ts';
import { idsSchema } from './listing.ts';
import { askProject } from './project.ts';
import { LATEST_WIQL } from './wiql.ts';

/** A permission: a bit in a security namespace, both the same on every server. */
export interface Right {
  readonly namespace: string;
  readonly permission: number;
}

const EDIT_WORK_ITEMS: Right = { namespace: '83e28ad4-2d72-4ceb-97b0-c7726d5502c3', permission: 32 };
const CREATE_TAGS: Right = { namespace: 'bb50f182-8e5e-40b8-bc21-e8752a1e7ae2', permission: 2 };

const TRY_IT = 'agent-smith doctor --write-test TICKET tries it on one of your tickets';

const areasSchema = z.array(z.object({ structureType: z.unknown(), identifier: z.string() }));
const permissionsSchema = z.object({ value: z.array(z.boolean()) });
const tagNamesSchema = z.array(z.object({ name: z.string() }));

export function checkAccess(client: AzureDevOpsClient, call: Call): Promise<readonly AccessFact[]> {
  return client.ask(`check the access to ${client.project}`, call, async (azure) => {
    const signIn = await checkSignIn(azure);
    if (signIn.granted === 'no') return [signIn];
    const { fact: reading, latest } = await checkReading(client, azure);
    if (reading.granted === 'no') return [signIn, reading];
    const writing = await checkWriting(client, azure, latest);
    // Posting a comment is editing the work item to Azure DevOps; only new tags need more.
    const tagging = writing.granted === 'yes' ? await checkTagging(client, azure) : undefined;
    return [signIn, reading, { ...writing, ...tagging, right: 'write-labels' }, { ...writing, right: 'comment' }];
  });
}

type Finding = Omit<AccessFact, 'right'>;

async function checkSignIn(azure: AzureDevOpsSession): Promise<AccessFact> {
  const right = 'sign-in';
  const advice = 'create a new token (it may have ended) with the scope Work Items (Read & write)';
  const identity = await unlessRefused(() => askIdentity(azure));
  if (identity === undefined) return { right, granted: 'no', evidence: 'the credential is not taken', advice };
  if (identity.anonymous) return { right, granted: 'no', evidence: 'signed in as nobody', advice };
  return { right, granted: 'yes', evidence: `signed in as ${identity.name}` };
}

async function checkReading(
  { project }: AzureDevOpsClient,
  azure: AzureDevOpsSession,
): Promise<{ readonly fact: AccessFact; readonly latest?: number | undefined }> {
  const right = 'read-tickets';
  const found = await unlessRefused(() => azure.api.queryByWiql({ query: LATEST_WIQL }, { project }, false, 1));
  if (found === undefined) {
    const advice = `make the account a member of ${project}, and the token one with the scope Work Items`;
    return { fact: { right, granted: 'no', evidence: `${project} is not visible, or not its work items`, advice } };
  }
  const latest = azure.read(idsSchema, found).workItems[0]?.id;
  const seen = latest === undefined ? 'answers, and has no work items to show' : `shows its work item ${latest}`;
  return { fact: { right, granted: 'yes', evidence: `${project} ${seen}` }, latest };
}

async function checkWriting(
  { project }: AzureDevOpsClient,
  azure: AzureDevOpsSession,
  latest: number | undefined,
): Promise<Finding> {
  const permitted = await unlessRefused(() => mayEdit(project, azure));
  if (permitted === false) {
    const advice = 'grant "Edit work items in this node" on the area, and an access level of at least Stakeholder';
    return { granted: 'no', evidence: `the account may not edit work items in ${project}`, advice };
  }
  if (latest === undefined) {
    const evidence = `there is no work item in ${project} on which to see what the token may do`;
    return { granted: 'unknown', evidence, advice: TRY_IT };
  }
  const tried = await tryWithoutSaving(azure, latest);
  switch (tried) {
    case 'accepted':
      return { granted: 'yes', evidence: `a change of ${latest} passed its validation, nothing was saved` };
    case 'refused': {
      const advice = 'give the token the scope Work Items (Read & write), and the account the right to edit them';
      return { granted: 'no', evidence: `a change of ${latest} was refused in its validation`, advice };
    }
    case 'unclear':
      return { granted: 'unknown', evidence: `${latest} cannot be validated as it is`, advice: TRY_IT };
    default:
      return unreachable(tried);
  }
}

/** A tag that exists nowhere in the project yet has to be created, which is a right of its own. */
async function checkTagging({ project }: AzureDevOpsClient, azure: AzureDevOpsSession): Promise<Finding | undefined> {
  const permitted = await unlessRefused(async () => {
    const { id } = await askProject(azure, project);
    return isGranted(azure, CREATE_TAGS, `/${id}`);
  });
  if (permitted !== false) return undefined;
  const there = azure.read(tagNamesSchema, await azure.api.getTags(project)).map(({ name }) => name);
  const missing = LIFECYCLES.map(lifecycleLabel).filter((label) => !hasLabel(there, label));
  if (missing.length === 0) return undefined;
  return {
    granted: 'no',
    evidence: `the account may not create tags in ${project}, which lacks ${missing.join(', ')}`,
    advice: 'grant "Create tag definition", or let somebody who has it use each of these tags once',
  };
}

async function mayEdit(project: string, azure: AzureDevOpsSession): Promise<boolean | undefined> {
  const roots = azure.read(areasSchema, await azure.api.getRootNodes(project));
  // The library turns the word into a number where it knows it.
  const area = roots.find(({ structureType }) => structureType === 0 || structureType === 'area');
  if (area === undefined) return undefined;
  return isGranted(azure, EDIT_WORK_ITEMS, `vstfs:///Classification/Node/${area.identifier}`);
}

/** Whether whoever asks has a permission. Asking takes none. */
export async function isGranted(
  azure: AzureDevOpsSession,
  { namespace, permission }: Right,
  token: string,
): Promise<boolean | undefined> {
  const path = `_apis/permissions/${namespace}/${permission}?tokens=${encodeURIComponent(token)}`;
  return azure.read(permissionsSchema, await azure.ask(`${path}&api-version=5.0`)).value[0];
}

/** Sends the title that the work item has already, to be validated and not to be saved. */
async function tryWithoutSaving(azure: AzureDevOpsSession, id: number): Promise<'accepted' | 'refused' | 'unclear'> {
  const { fields } = await readWorkItem(azure, String(id));
  const patch = [{ op: 'replace', path: '/fields/System.Title', value: fields['System.Title'] }];
  try {
    await azure.api.updateWorkItem({}, patch, id, undefined, true);
    return 'accepted';
  } catch (error) {
    if (!(error instanceof PlatformError)) throw error;
    if (error.kind === 'auth') return 'refused';
    // A rule that the work item breaks already, or that it changed meanwhile.
    if (error.kind === 'invalid-response' || error.kind === 'conflict' || error.kind === 'not-found') return 'unclear';
    throw error;
  }
}

/** Undefined when the platform says that we may not, or that there is no such thing for us. */
async function unlessRefused<T>(ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof PlatformError && (error.kind === 'auth' || error.kind === 'not-found')) return undefined;
    throw error;
  }
}
