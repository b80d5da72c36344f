/**
 * Writing labels, on a platform without compare-and-swap: one label is added, single ones are removed, and the list that
 * GitHub answers with is the read-back. The whole set is never written, so what people do at the same moment stays.
 *
 * A crash between the steps leaves two lifecycle labels, never none; readers resolve that by precedence.
 */
import { hasLabel, type Lifecycle, lifecycleLabel, lifecycleOf } from '../../domain/lifecycle.ts';
import type { Ticket } from '../../domain/ticket.ts';
import { type Call, PlatformError } from '../contract.ts';
import { createLifecycleLabels, oncePerSource } from '../lifecycle-labels.ts';
import { type GitHubClient, type GitHubSession, pagesOf } from './client.ts';
import { issueSchema, labelName, labelNames } from './issue.ts';

/** Makes `to` the only lifecycle label; see `TicketPlatform.moveLifecycle`. */
export function moveLifecycle(
  client: GitHubClient,
  ticket: Ticket,
  to: Lifecycle | undefined,
  call: Call,
): Promise<readonly string[]> {
  return client.run(`move #${ticket.id} to ${to ?? 'no lifecycle label'}`, call, async (github) => {
    let shown = await withTarget(github, ticket, to);
    const tried = new Set<string>();
    for (;;) {
      // A later writer has taken the target off again: what is left is theirs, and without it the ticket would show nothing.
      if (to !== undefined && !hasLabel(shown, lifecycleLabel(to))) return shown;
      // Chosen anew from each answer: another writer may have put one there meanwhile.
      const strays = shown.filter((label) => isStray(label, ticket, to) && !tried.has(label));
      // A wish goes last: a claim that dies half-way must not leave a verdict without the wish that overrules it.
      const stray = strays.find((label) => lifecycleOf(label) !== 'pending') ?? strays[0];
      if (stray === undefined) return shown;
      tried.add(stray);
      shown = await remove(github, ticket.id, stray);
    }
  });
}

/**
 * Whether a label is to go for `to`. A verdict that was not there when this move was decided is newer than the decision:
 * whoever asked for the move sees it in the read-back and decides anew.
 */
function isStray(label: string, decidedOn: Ticket, to: Lifecycle | undefined): boolean {
  const lifecycle = lifecycleOf(label);
  if (lifecycle === undefined || lifecycle === to) return false;
  const isVerdict = lifecycle === 'done' || lifecycle === 'failed';
  return !isVerdict || hasLabel(decidedOn.labels, label);
}

/** The labels of the ticket once the target is among them. A ticket that had it already is only read. */
async function withTarget(github: GitHubSession, ticket: Ticket, to: Lifecycle | undefined): Promise<string[]> {
  const target = to === undefined ? undefined : lifecycleLabel(to);
  if (target === undefined || hasLabel(ticket.labels, target)) {
    const shown = await readLabels(github, ticket.id);
    if (target === undefined || hasLabel(shown, target)) return shown;
  }
  const { data } = await github.octokit.rest.issues.addLabels({ ...github.issue(ticket.id), labels: [target] });
  const shown = github.read(labelNames, data);
  if (hasLabel(shown, target)) return shown;
  // Without push access GitHub answers 200 and drops the label without a word.
  throw github.error('auth', `GitHub did not take the label "${target}": may the token write issues here?`, {
    effect: 'none',
  });
}

/** Removes one label and returns those left; that it is gone already is as good. */
async function remove(github: GitHubSession, id: string, name: string): Promise<string[]> {
  try {
    const { data } = await github.octokit.rest.issues.removeLabel({ ...github.issue(id), name });
    return github.read(labelNames, data);
  } catch (error) {
    if (error instanceof PlatformError && error.kind === 'not-found') return readLabels(github, id);
    throw error;
  }
}

async function readLabels(github: GitHubSession, id: string): Promise<string[]> {
  const { data } = await github.octokit.rest.issues.get(github.issue(id));
  return github.read(issueSchema, data).labels;
}

/** Creates the lifecycle labels that a repository lacks, once per process. */
export function ensureLifecycleLabels(client: GitHubClient, call: Call): Promise<void> {
  return oncePerSource(client, () =>
    client.run('create lifecycle labels', call, async (github) => {
      const there = await repositoryLabels(github);
      await createLifecycleLabels({
        has: (name) => hasLabel(there, name),
        create: (name, look) => github.octokit.rest.issues.createLabel({ ...github.repository, name, ...look }),
      });
    }),
  );
}

async function repositoryLabels(github: GitHubSession): Promise<string[]> {
  const { url } = github.octokit.rest.issues.listLabelsForRepo.endpoint({ ...github.repository, per_page: 100 });
  const names: string[] = [];
  for await (const page of pagesOf(github, url, labelName)) names.push(...page);
  return names;
}
