/**
 * What Jira could not deliver. It keeps no list of that for hooks of an administrator, so the issues themselves are asked:
 * whatever has one of our labels and has changed since. Each is told as if its event had arrived, under an id made of the
 * issue and the time of its change, so that the same change found twice is a delivery that is known already.
 *
 * This takes no other right than the listing does.
 */
import { lifecycleLabel } from '../../domain/lifecycle.ts';
import { firstPages } from '../delivery-list.ts';
import type { ConnectOptions } from '../descriptor.ts';
import { type MissedDeliveries, type MissedDelivery, type MissedQuestion, missedAnswer } from '../missed-deliveries.ts';
import { NO_CHANGE } from '../webhook-fields.ts';
import { createJiraClient, type JiraClient, type JiraSession } from './client.ts';
import { type Issue, LISTED_FIELDS, ticketOf } from './issue.ts';
import { listingJql } from './jql.ts';
import { searchPages } from './listing.ts';

const MINUTE_MS = 60_000;
/** The index runs behind the issues, and Jira's clock may be another one. */
const OVERLAP_MINUTES = 2;
/** Issues that are looked at in one go. */
const MOST_PAGES = 20;

/** @throws PlatformError for a credential that cannot be used with the deployment. */
export function openJiraMissedDeliveries(options: ConnectOptions): MissedDeliveries {
  const client = createJiraClient(options);
  return {
    look: (question, call) =>
      client.ask('look for missed changes', call, async (jira) => {
        const { items, isWhole } = await changedSince(client, jira, question);
        const missed: MissedDelivery[] = [];
        for (const issue of items) missed.push(await missedDelivery(client, jira, issue));
        return missedAnswer(question, [], { missed, isWhole });
      }),
  };
}

function changedSince(client: JiraClient, jira: JiraSession, { sinceMs, project }: MissedQuestion) {
  const minutes = Math.max(0, Math.ceil((Date.now() - sinceMs) / MINUTE_MS)) + OVERLAP_MINUTES;
  const labels = [...project.routing.pipelineFromLabel.keys(), lifecycleLabel('pending')];
  const jql = listingJql(client.source, { labels, state: 'open' }, minutes);
  // In the order of their creation, which no change disturbs while the pages are read.
  return firstPages(searchPages(client, jira, jql, [...LISTED_FIELDS, 'updated']), MOST_PAGES);
}

async function missedDelivery(client: JiraClient, jira: JiraSession, issue: Issue): Promise<MissedDelivery> {
  const atMs = Date.parse(issue.fields.updated ?? '');
  if (Number.isNaN(atMs)) throw jira.error('invalid-response', 'an issue does not say when it has changed');
  const { labels, open, scope } = await ticketOf(client, jira, issue);
  const id = `${issue.id}-${atMs}`;
  return {
    id,
    hook: undefined,
    atMs,
    again: () =>
      Promise.resolve({
        id,
        hook: undefined,
        event: 'jira:issue_updated',
        action: undefined,
        place: { host: client.source.host, container: '', scope, id: issue.fields.project.id },
        news: { ticketIds: [issue.id], about: 'ticket', ...NO_CHANGE, labels, open, ownComment: false },
      }),
  };
}
