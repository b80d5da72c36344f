/**
 * Writing labels: one request names the labels to add and those to remove, and its answer is the read-back. The whole set
 * is never written, so what people do at the same moment stays, and there is no moment without a lifecycle label.
 */
import { LIFECYCLES, type Lifecycle, lifecycleLabel, lifecycleOf } from '../../domain/lifecycle.ts';
import type { Ticket } from '../../domain/ticket.ts';
import type { Call, PlatformError } from '../contract.ts';
import { createLifecycleLabels, oncePerSource } from '../lifecycle-labels.ts';
import { type GitLabClient, type GitLabSession, pagesOf } from './client.ts';
import { issueSchema } from './issue.ts';
import { labelSchema } from './spellings.ts';

/** Makes `to` the only lifecycle label; see `TicketPlatform.moveLifecycle`. */
export function moveLifecycle(
  client: GitLabClient,
  ticket: Ticket,
  to: Lifecycle | undefined,
  call: Call,
): Promise<readonly string[]> {
  return client.run(`move #${ticket.id} to ${to ?? 'no lifecycle label'}`, call, async (gitlab) => {
    const target = to === undefined ? undefined : lifecycleLabel(to);
    // All of them, whatever the ticket showed when it was read: another writer may have put one there meanwhile.
    const others = LIFECYCLES.filter((lifecycle) => lifecycle !== to).map(lifecycleLabel);
    let strays = straysAmong(ticket.labels, target);
    let shown = await change(gitlab, ticket.id, target, [...new Set([...others, ...strays])]);
    if (target !== undefined && !shown.includes(target)) throw notTaken(gitlab, target, strays, shown);
    strays = straysAmong(shown, target);
    // Left over is only what was spelt in a way that nobody could know, `Agent-Smith:Done`, and that once.
    if (strays.length > 0) shown = await change(gitlab, ticket.id, target, strays);
    return shown;
  });
}

/** The lifecycle labels beside the target, as they are spelt: to GitLab another letter case is another label. */
const straysAmong = (labels: readonly string[], target: string | undefined): string[] =>
  labels.filter((label) => lifecycleOf(label) !== undefined && label !== target);

/** The labels that the issue has afterwards. */
async function change(
  gitlab: GitLabSession,
  id: string,
  add: string | undefined,
  remove: readonly string[],
): Promise<string[]> {
  const iid = gitlab.iid(id);
  const labels = { removeLabels: remove.join(','), ...(add !== undefined && { addLabels: add }) };
  const data = await gitlab.write((project) => gitlab.api.issues.edit(project, iid, labels));
  return gitlab.read(issueSchema, data).labels;
}

/** Whoever wrote an issue may edit it, but labels sent without the right to set them are dropped without a word. */
function notTaken(
  gitlab: GitLabSession,
  target: string,
  strays: readonly string[],
  shown: readonly string[],
): PlatformError {
  return gitlab.error('auth', `GitLab did not take the label "${target}": has the token's owner the role Reporter?`, {
    // What we asked to remove and still stands shows that nothing of it was done.
    effect: strays.every((label) => shown.includes(label)) ? 'none' : 'unknown',
  });
}

/** Creates the lifecycle labels that a project lacks, once per process. */
export function ensureLifecycleLabels(client: GitLabClient, call: Call): Promise<void> {
  return oncePerSource(client, () =>
    client.run('create lifecycle labels', call, async (gitlab) => {
      const there = await projectLabels(gitlab);
      await createLifecycleLabels({
        has: (name) => there.has(name),
        create: (name, { color, description }) =>
          gitlab.write((project) => gitlab.api.labels.create(project, name, `#${color}`, { description })),
      });
    }),
  );
}

/** Those of its groups, too. */
async function projectLabels(gitlab: GitLabSession): Promise<ReadonlySet<string>> {
  const names = new Set<string>();
  const list = (place: object) => gitlab.api.labels.all(gitlab.project, { perPage: 100, ...place });
  for await (const page of pagesOf(gitlab, labelSchema, list)) for (const { name } of page) names.add(name);
  return names;
}
