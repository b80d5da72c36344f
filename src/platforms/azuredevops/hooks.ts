/** The service hook subscriptions that send to us: one for each kind of event. */
import { z } from 'zod';
import type { HookState, MissedQuestion } from '../missed-deliveries.ts';
import { isGranted, type Right } from './access.ts';
import type { AzureDevOpsSession } from './client.ts';
import { askProject } from './project.ts';

const VIEW_SUBSCRIPTIONS: Right = { namespace: 'cb594ebe-87dd-4fc9-ac2c-6a10a4c92046', permission: 1 };

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

type Subscription = z.infer<typeof subscriptionsSchema>['value'][number];

/** @throws PlatformError `auth` when the account may not look at them. */
export async function projectHooks(
  azure: AzureDevOpsSession,
  project: string,
  isOurs: MissedQuestion['isOurs'],
): Promise<readonly HookState[]> {
  const { id: projectId } = await askProject(azure, project);
  const all = azure.read(subscriptionsSchema, await azure.ask('_apis/hooks/subscriptions?consumerId=webHooks')).value;
  const ours = all.filter(({ publisherInputs, consumerInputs: { url } }) => {
    // One without a project is for all of the collection.
    const watched = publisherInputs.projectId ?? '';
    const isHere = watched === '' || watched.toLowerCase() === projectId.toLowerCase();
    return isHere && typeof url === 'string' && isOurs(url);
  });
  // Those that one may not see are left out of the list without a word; it takes a right to know of none.
  if (ours.length === 0 && (await isGranted(azure, VIEW_SUBSCRIPTIONS, `PublisherSecurity/${projectId}`)) === false) {
    throw azure.error('auth', `the account may not view the service hook subscriptions of ${project}`);
  }
  return ours.map((subscription) => ({ id: subscription.id, ...stateOf(subscription) }));
}

function stateOf({ eventType, status }: Subscription): Omit<HookState, 'id'> {
  switch (status) {
    case 'enabled':
      return { state: 'active', detail: `${eventType} is enabled` };
    case 'onProbation':
      return {
        state: 'failing',
        detail: `${eventType} is on probation after errors: until a try of Azure DevOps is answered, or somebody enables it again (Project settings, Service hooks), what happens is not sent`,
      };
    default:
      return {
        state: 'disabled',
        // `disabledBySystem`, `disabledByUser`, `disabledByInactiveIdentity`: the account that made it is gone.
        detail: `${eventType} is ${status}: enable it again in Project settings, Service hooks`,
      };
  }
}
