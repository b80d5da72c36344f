/** What asks platforms for missed deliveries, put together: the poller leader's work, beside the polls. */
import type { Config } from '../config/config.ts';
import type { Project } from '../domain/project.ts';
import type { DeliveryReceiver } from '../ingress/deliveries/delivery-receiver.ts';
import { createMissedRecovery, type MissedRecovery } from '../ingress/missed/missed-deliveries.ts';
import { isOurAddress } from '../ingress/missed/webhook-address.ts';
import type { AppOptions, Shared } from './options.ts';
import type { Stores } from './stores.ts';

export interface MissedParts {
  readonly stores: Stores;
  readonly receiver: Pick<DeliveryReceiver, 'takeIn' | 'namesOf'>;
}

export function openMissedRecovery(
  { timing, log }: AppOptions,
  { config, projects, metrics }: Shared,
  { stores, receiver }: MissedParts,
): MissedRecovery {
  return createMissedRecovery(
    {
      catalog: projects.current,
      missedOf: projects.missedOf,
      credentialOf: projects.credentialOf,
      windowOf: (project) => projects.budgetOf(project)?.window,
      records: stores.deliveries,
      listening: stores.listening,
      board: stores.missedBoard,
      timeMs: stores.redis.timeMs,
      namesOf: receiver.namesOf,
      takeIn: receiver.takeIn,
      isOurs: leadsToUs(config),
      log,
      onRecovered: ({ platform, relevant }) => metrics.missedRecovered({ platform, by: 'redelivery', count: relevant }),
    },
    timing,
  );
}

const OWN_PATH = '/webhook';

/** Whether a platform that sends to this address sends to us, about these projects of one source. */
export function leadsToUs(config: () => Config): (url: string, projects: readonly Project[]) => boolean {
  return (url, projects) => {
    const { webhookListener } = config().server;
    const paths = [OWN_PATH, ...(webhookListener === undefined ? [] : [webhookListener.path])];
    return isOurAddress(url, projects, { paths, publicUrl: webhookListener?.publicUrl });
  };
}
