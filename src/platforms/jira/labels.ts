/**
 * Writing labels: one request adds the new one and removes all others of ours, as operations on a set, so what people do
 * at the same moment stays. Jira has no compare-and-swap; two writers at once may get a 409, and then neither harm nor
 * change was done.
 *
 * Jira tells labels apart by letter case: ours in another spelling is removed as it is spelled.
 */
import { LIFECYCLES, type Lifecycle, lifecycleLabel, lifecycleOf } from '../../domain/lifecycle.ts';
import type { Ticket } from '../../domain/ticket.ts';
import { sleep } from '../../foundation/loop.ts';
import { type Call, PlatformError } from '../contract.ts';
import type { JiraClient, JiraSession } from './client.ts';
import { issueSchema, LISTED_FIELDS } from './issue.ts';

/** Tries of one write that another one gets in the way of; the last is the caller's to repeat. */
const MAX_TRIES = 5;
const PAUSE_MS = 50;
/** Writes of one move: each after the first removes what somebody put there meanwhile. */
const MAX_WRITES = 3;

/** Makes `to` the only lifecycle label; see `TicketPlatform.moveLifecycle`. */
export function moveLifecycle(
  client: JiraClient,
  ticket: Ticket,
  to: Lifecycle | undefined,
  call: Call,
): Promise<readonly string[]> {
  return client.run(`move ${ticket.display} to ${to ?? 'no lifecycle label'}`, call, async (jira) => {
    const target = to === undefined ? undefined : lifecycleLabel(to);
    // A ticket that shows it already is only read.
    let shown = isSettled(ticket.labels, target) ? await readLabels(jira, ticket.id) : ticket.labels;
    for (let writes = 0; writes < MAX_WRITES && !isSettled(shown, target); writes += 1) {
      shown = await write(client, jira, { id: ticket.id, target, shown });
    }
    return shown;
  });
}

const isStray = (label: string, target: string | undefined): boolean =>
  lifecycleOf(label) !== undefined && label !== target;

const isSettled = (labels: readonly string[], target: string | undefined): boolean =>
  (target === undefined || labels.includes(target)) && !labels.some((label) => isStray(label, target));

interface Write {
  readonly id: string;
  readonly target: string | undefined;
  readonly shown: readonly string[];
}

/** The labels afterwards. */
async function write(client: JiraClient, jira: JiraSession, edit: Write): Promise<readonly string[]> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await editLabels(client, jira, edit);
    } catch (error) {
      if (!(error instanceof PlatformError) || error.kind !== 'conflict' || tries === MAX_TRIES) throw error;
      // At the deadline the next try fails, and says so.
      await sleep(PAUSE_MS * tries * Math.random(), jira.signal);
    }
  }
}

async function editLabels(
  { isCloud }: JiraClient,
  jira: JiraSession,
  { id, target, shown }: Write,
): Promise<readonly string[]> {
  // Those that are not there are removed too, which does no harm: they may be there by now.
  const others = new Set([...LIFECYCLES.map(lifecycleLabel), ...shown].filter((label) => isStray(label, target)));
  const added = target === undefined ? [] : [target];
  const labels = [...added.map((label) => ({ add: label })), ...[...others].map((label) => ({ remove: label }))];
  // Not `notifyUsers: false`: whatever Cloud documents, it refuses the whole edit of who is no administrator.
  const wishes = isCloud ? { returnIssue: true } : {};
  const data: unknown = await jira.cloud.editIssue(jira.api, { ...jira.issue(id), ...wishes, update: { labels } });
  if (data !== undefined) return jira.read(issueSchema, data).fields.labels;
  // Data Center answers without a body. The edit was taken as a whole and named every label of ours, so what they are
  // now is known without another request.
  return [...shown.filter((label) => !others.has(label) && label !== target), ...added];
}

async function readLabels(jira: JiraSession, id: string): Promise<string[]> {
  const data = await jira.cloud.getIssue(jira.api, { ...jira.issue(id), fields: LISTED_FIELDS });
  return jira.read(issueSchema, data).fields.labels;
}
