/**
 * What Azure DevOps could not deliver: the failed notifications in the history of our subscriptions, kept for some days.
 * It has no way to send one again, so we take the event from the history ourselves. What happens while a subscription is
 * on probation or disabled never gets into the history: that is left to polling.
 */
import { z } from 'zod';
import type { ConnectOptions } from '../descriptor.ts';
import { type MissedDeliveries, type MissedDelivery, missedAnswer } from '../missed-deliveries.ts';
import { type AzureDevOpsClient, type AzureDevOpsSession, createAzureDevOpsClient } from './client.ts';
import { projectHooks } from './hooks.ts';
import { readAzureDevOpsMessage } from './webhook-message.ts';

/** One for each kind of event makes five; more than this is no setting up of ours. */
const MOST_HOOKS = 25;

const notificationsSchema = z.object({
  value: z.array(z.object({ id: z.int(), eventId: z.string(), createdDate: z.coerce.date() })),
});

const notificationSchema = z.object({ details: z.object({ event: z.record(z.string(), z.unknown()) }) });

/** @throws PlatformError `unsupported` for a credential that Azure DevOps does not take. */
export function openAzureDevOpsMissedDeliveries(options: ConnectOptions): MissedDeliveries {
  const client = createAzureDevOpsClient(options);
  return {
    look: (question, call) =>
      client.ask('look for missed deliveries', call, async (azure) => {
        const { isOurs, sinceMs, most } = question;
        const hooks = await projectHooks(azure, client.project, isOurs);
        const missed: MissedDelivery[] = [];
        for (const { id: hook } of hooks.slice(0, MOST_HOOKS)) {
          missed.push(...(await failuresOf(client, azure, hook, most + 1)));
        }
        return missedAnswer(question, hooks, {
          missed: missed.filter(({ atMs }) => atMs >= sinceMs),
          isWhole: hooks.length <= MOST_HOOKS,
        });
      }),
  };
}

/** The newest. A notification has failed when all tries of the platform's own have. */
async function failuresOf(
  client: AzureDevOpsClient,
  azure: AzureDevOpsSession,
  hook: string,
  most: number,
): Promise<MissedDelivery[]> {
  const history = `_apis/hooks/subscriptions/${encodeURIComponent(hook)}/notifications`;
  const found = azure.read(notificationsSchema, await azure.ask(`${history}?result=failed&maxResults=${most}`));
  return found.value.map(({ id, eventId, createdDate }) => ({
    id: eventId,
    hook,
    atMs: createdDate.getTime(),
    again: (call) =>
      client.ask(`read notification ${id} of a subscription`, call, async (session) => {
        const { details } = session.read(notificationSchema, await session.ask(`${history}/${id}`));
        return readAzureDevOpsMessage({ ...details.event, id: eventId, subscriptionId: hook });
      }),
  }));
}
