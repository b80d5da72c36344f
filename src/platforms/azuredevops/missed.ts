/**
 * What Azure DevOps could not deliver: the failed notifications in the history of our subscriptions, kept for some days.
 * It has no way to send one again, so we take the event from the history ourselves. What happens while a subscription is
 * on probation or disabled never gets into the history: that is left to polling.
 */
import { z } from 'zod';
import type { Call } from '../contract.ts';
import type { ConnectOptions } from '../descriptor.ts';
import type {
  HookState,
  MissedAnswer,
  MissedDeliveries,
  MissedDelivery,
  MissedQuestion,
} from '../missed-deliveries.ts';
import { isGranted, type Right } from './access.ts';
import { type AzureDevOpsClient, type AzureDevOpsSession, createAzureDevOpsClient } from './client.ts';
import { askProject } from './project.ts';
import { readMessage } from './webhook-message.ts';

const VIEW_SUBSCRIPTIONS: Right = { namespace: 'cb594ebe-87dd-4fc9-ac2c-6a10a4c92046', permission: 1 };
/** One for each kind of event makes five; more than this is no setting up of ours. */
const MOST_SUBSCRIPTIONS = 25;

const subscriptionsSchema = z.object({
  value: z.array(
    z.object({
      id: z.string(),
      eventType: z.string(),
      status: z.string(),
      publisherInputs: z.object({ projectId: z.string().nullish() }),
      /** Other consumers have no URL. */
      consumerInputs: z.object({ url: z.string().nullish() }),
    }),
  ),
});

const notificationsSchema = z.object({
  value: z.array(z.object({ id: z.int(), eventId: z.string(), createdDate: z.coerce.date() })),
});

const notificationSchema = z.object({ details: z.object({ event: z.record(z.string(), z.unknown()) }) });

type Subscription = z.infer<typeof subscriptionsSchema>['value'][number];

/** @throws PlatformError `unsupported` for a credential that Azure DevOps does not take. */
export function openAzureDevOpsMissedDeliveries(options: ConnectOptions): MissedDeliveries {
  const client = createAzureDevOpsClient(options);
  return {
    look: (question, call) =>
      client.ask('look for missed deliveries', call, (azure) => lookFor(client, azure, question)),
  };
}

async function lookFor(
  client: AzureDevOpsClient,
  azure: AzureDevOpsSession,
  { sinceMs, isOurs, most }: MissedQuestion,
): Promise<MissedAnswer> {
  const { id: projectId } = await askProject(azure, client.project);
  const all = azure.read(subscriptionsSchema, await azure.ask('_apis/hooks/subscriptions?consumerId=webHooks')).value;
  const ours = all.filter(({ publisherInputs, consumerInputs: { url } }) => {
    // One without a project is for all of the collection.
    const watched = publisherInputs.projectId ?? '';
    const isHere = watched === '' || watched.toLowerCase() === projectId.toLowerCase();
    return isHere && typeof url === 'string' && isOurs(url);
  });
  if (ours.length === 0) await refuseIfHidden(azure, client.project, projectId);

  const missed: MissedDelivery[] = [];
  for (const { id: hook } of ours.slice(0, MOST_SUBSCRIPTIONS)) {
    missed.push(...(await failedOf(client, azure, hook, most + 1)));
  }
  const since = missed.filter(({ atMs }) => atMs >= sinceMs).sort((one, other) => one.atMs - other.atMs);
  return {
    hooks: ours.map(stateOf),
    missed: since.slice(0, most),
    truncated: since.length > most || ours.length > MOST_SUBSCRIPTIONS,
  };
}

/** Subscriptions that one may not see are left out of the list without a word; it takes a right to know of none. */
async function refuseIfHidden(azure: AzureDevOpsSession, project: string, projectId: string): Promise<void> {
  if ((await isGranted(azure, VIEW_SUBSCRIPTIONS, `PublisherSecurity/${projectId}`)) !== false) return;
  throw azure.error('auth', `the account may not view the service hook subscriptions of ${project}`);
}

/** A notification has failed when all tries of the platform's own have. */
async function failedOf(
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
    again: (call: Call) =>
      client.ask(`read notification ${id} of a subscription`, call, async (session) => {
        const { details } = session.read(notificationSchema, await session.ask(`${history}/${id}`));
        return readMessage({ ...details.event, id: eventId, subscriptionId: hook });
      }),
  }));
}

function stateOf({ id, eventType, status }: Subscription): HookState {
  switch (status) {
    case 'enabled':
      return { id, state: 'active', detail: `${eventType} is enabled` };
    case 'onProbation':
      return {
        id,
        state: 'failing',
        detail: `${eventType} is on probation after errors: until a try of Azure DevOps is answered, or somebody enables it again (Project settings, Service hooks), what happens is not sent`,
      };
    default:
      return {
        id,
        state: 'disabled',
        // `disabledBySystem`, `disabledByUser`, `disabledByInactiveIdentity`: the account that made it is gone.
        detail: `${eventType} is ${status}: enable it again in Project settings, Service hooks`,
      };
  }
}
