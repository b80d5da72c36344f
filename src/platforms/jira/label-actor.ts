/**
 * Who set a label last, by the changelog. What an issue was created with is in no change; then it was its creator.
 *
 * People are told by what they cannot choose themselves: the account id on Cloud, the user name on Data Center. A display
 * name can be anybody's.
 */
import { z } from 'zod';
import { hasLabel, isOurs } from '../../domain/lifecycle.ts';
import type { Call } from '../contract.ts';
import { changeItem, labelChangeOf } from './changelog.ts';
import type { JiraClient, JiraSession } from './client.ts';

const PAGE_SIZE = 100;

export const accountSchema = z.object({
  accountId: z.string().optional(),
  name: z.string().optional(),
  displayName: z.string().optional(),
});

const changeSchema = z.object({
  author: accountSchema.nullish(),
  created: z.string(),
  items: z.array(changeItem).default([]),
});

type Change = z.infer<typeof changeSchema>;

const changePage = z.object({ values: z.array(changeSchema), startAt: z.int(), total: z.int() });

const historySchema = z.object({ changelog: z.object({ histories: z.array(changeSchema) }) });

const originSchema = z.object({
  fields: z.object({ creator: accountSchema.nullish(), labels: z.array(z.string()).default([]) }),
});

/** The rule of `../last-setter.ts`, from the newest change backwards: a long history need not be read to its beginning. */
export function labelActor(client: JiraClient, id: string, label: string, call: Call): Promise<string | undefined> {
  return client.ask(`read who labelled ${id}`, call, async (jira) => {
    const own = isOurs(label) ? await ownLogin(client, jira) : undefined;
    let ours: string | undefined;
    for await (const login of settersOf(client, jira, id, label)) {
      if (own === undefined || login !== own) return login;
      ours = login;
    }
    return ours;
  });
}

/** Logins of those who set the label, the last one first. */
async function* settersOf(
  client: JiraClient,
  jira: JiraSession,
  id: string,
  label: string,
): AsyncGenerator<string | undefined> {
  /** The labels before the oldest change of labels. */
  let first: readonly string[] | undefined;
  for await (const { author, items } of client.isCloud ? cloudChanges(jira, id) : serverChanges(jira, id)) {
    for (const change of items.map(labelChangeOf)) {
      if (change === undefined) continue;
      first = change.before;
      if (hasLabel(change.after, label) && !hasLabel(first, label)) yield loginOf(client, author);
    }
  }
  const data = await jira.cloud.getIssue(jira.api, { ...jira.issue(id), fields: ['creator', 'labels'] });
  const { creator, labels } = jira.read(originSchema, data).fields;
  if (hasLabel(first ?? labels, label)) yield loginOf(client, creator);
}

/** Newest first. Jira lists them the other way round, so the pages are read from the end. */
async function* cloudChanges(jira: JiraSession, id: string): AsyncGenerator<Change> {
  const read = async (startAt: number) =>
    jira.read(
      changePage,
      await jira.cloud.getChangeLogs(jira.api, { ...jira.issue(id), startAt, maxResults: PAGE_SIZE }),
    );
  const first = await read(0);
  const size = first.values.length;
  for (let startAt = lastPage(first.total, size); startAt > 0; startAt -= size) {
    yield* (await read(startAt)).values.slice(0, size).toReversed();
  }
  yield* first.values.toReversed();
}

/** Where the last page begins. */
const lastPage = (total: number, size: number): number => (size === 0 ? 0 : Math.floor((total - 1) / size) * size);

/** Newest first. All of them are in one answer; several may be of the same moment, the later one behind. */
async function* serverChanges(jira: JiraSession, id: string): AsyncGenerator<Change> {
  const data = await jira.cloud.getIssue(jira.api, { ...jira.issue(id), fields: ['labels'], expand: 'changelog' });
  const { histories } = jira.read(historySchema, data).changelog;
  yield* histories.toSorted((a, b) => Date.parse(a.created) - Date.parse(b.created)).toReversed();
}

function loginOf({ isCloud }: JiraClient, account: z.infer<typeof accountSchema> | null | undefined) {
  return isCloud ? account?.accountId : account?.name;
}

const createIdentity = (): { login?: string | undefined } => ({});

/** Whose credential this is, asked once for each. */
async function ownLogin(client: JiraClient, jira: JiraSession): Promise<string | undefined> {
  const identity = client.shared(createIdentity);
  identity.login ??= loginOf(client, jira.read(accountSchema, await jira.cloud.getCurrentUser(jira.api)));
  return identity.login;
}
