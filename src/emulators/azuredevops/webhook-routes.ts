/**
 * Service hooks as the API shows them. Who may not view the subscriptions is not refused: the list is empty, and none of
 * them is there.
 */
import { guidOf, identityRef } from './identities.ts';
import { list, ok, type Reply, refused } from './replies.ts';
import type { Call, Route } from './routes.ts';
import type { Notification, Subscription } from './webhooks.ts';

const MOST_NOTIFICATIONS = 100;

export const webhookRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '_apis/hooks/subscriptions',
    below: 'collection',
    operation: 'hooks/subscriptions',
    preview: true,
    handle: (call) =>
      list(
        visible(call)
          .filter(isAsked(call))
          .map((each) => subscriptionShape(call, each)),
      ),
  },
  {
    method: 'GET',
    path: '_apis/hooks/subscriptions/:id/notifications',
    below: 'collection',
    operation: 'hooks/notifications',
    preview: true,
    handle: (call) =>
      withSubscription(call, (subscription) => {
        const result = call.query.get('result');
        const most = Number(call.query.get('maxResults') ?? MOST_NOTIFICATIONS);
        const found = subscription.notifications.filter((each) => result === null || each.result === result);
        return list(
          found
            .toReversed()
            .slice(0, most)
            .map((each) => notificationShape(subscription, each)),
        );
      }),
  },
  {
    method: 'GET',
    path: '_apis/hooks/subscriptions/:id/notifications/:notification',
    below: 'collection',
    operation: 'hooks/notifications/get',
    preview: true,
    handle: (call) =>
      withSubscription(call, (subscription) => {
        const found = subscription.notifications[Number(call.params.notification) - 1];
        if (found === undefined) return refused(404, 'The notification is not there.', 'NotificationNotFoundException');
        return ok({ ...notificationShape(subscription, found), details: detailsOf(call, subscription, found) });
      }),
  },
];

function visible({ webhooks, collection, token }: Call): Subscription[] {
  return token.canViewHooks ? webhooks.all(collection) : [];
}

/** All subscriptions here have one publisher and one consumer. */
function isAsked({ query }: Call): (subscription: Subscription) => boolean {
  const asks = (name: string, value: string): boolean => (query.get(name) ?? value) === value;
  return ({ settings: { eventType } }) =>
    asks('publisherId', 'tfs') && asks('consumerId', 'webHooks') && asks('eventType', eventType);
}

function withSubscription(call: Call, handle: (subscription: Subscription) => Reply): Reply {
  const found = visible(call).find(({ id }) => id === call.params.id);
  if (found !== undefined) return handle(found);
  const message = `Cannot find subscription with id '${call.params.id}'.`;
  return refused(404, message, 'SubscriptionNotFoundException');
}

function subscriptionShape({ base }: Call, subscription: Subscription) {
  const { id, settings, status, probationRetries, project } = subscription;
  return {
    id,
    url: `${base}/_apis/hooks/subscriptions/${id}`,
    status,
    publisherId: 'tfs',
    eventType: settings.eventType,
    subscriber: null,
    resourceVersion: '1.0',
    eventDescription: 'Any work item',
    consumerId: 'webHooks',
    consumerActionId: 'httpRequest',
    actionDescription: `To host ${new URL(settings.url).host}`,
    probationRetries,
    createdBy: identityRef('administrator'),
    publisherInputs: { ...PUBLISHER_INPUTS, projectId: project.id, tfsSubscriptionId: guidOf(id) },
    consumerInputs: consumerInputsOf(subscription),
  };
}

const PUBLISHER_INPUTS = { areaPath: '', workItemType: '' };

/** Secrets are not shown. */
function consumerInputsOf({ settings: { url, secret, secretAs, details = 'all' } }: Subscription) {
  const asHeader = { httpHeaders: 'X-AgentSmith-Secret:********' };
  const asPassword = { basicAuthUsername: 'agent-smith', basicAuthPassword: '********' };
  return {
    url,
    resourceDetailsToSend: details,
    messagesToSend: 'all',
    detailedMessagesToSend: 'all',
    ...(secret !== undefined && (secretAs === 'header' ? asHeader : asPassword)),
  };
}

function notificationShape({ id: subscriptionId }: Subscription, notification: Notification) {
  const { id, event, createdAtMs, changedAtMs, result } = notification;
  return {
    id,
    subscriptionId,
    subscriberId: '00000000-0000-0000-0000-000000000000',
    eventId: event.id,
    status: result === 'pending' ? 'queued' : 'completed',
    result,
    createdDate: new Date(createdAtMs).toISOString(),
    modifiedDate: new Date(changedAtMs).toISOString(),
  };
}

function detailsOf(call: Call, subscription: Subscription, { event, status, attempts, createdAtMs }: Notification) {
  const { eventType, publisherId, consumerId, consumerActionId, publisherInputs } = subscriptionShape(
    call,
    subscription,
  );
  return {
    eventType,
    event,
    publisherId,
    consumerId,
    consumerActionId,
    publisherInputs,
    consumerInputs: consumerInputsOf(subscription),
    request: 'Method: POST',
    response: status === undefined ? '' : `Status Code: ${status}`,
    requestAttempts: attempts,
    queuedDate: new Date(createdAtMs).toISOString(),
  };
}
