/** Creating the lifecycle labels where a platform gives its labels a colour and a description. */
import { LIFECYCLES, type Lifecycle, lifecycleLabel } from '../domain/lifecycle.ts';
import { sourceKey, type TicketSource } from '../domain/ticket.ts';
import { PlatformError } from './contract.ts';

export interface Look {
  /** Six hex digits without `#`. */
  readonly color: string;
  readonly description: string;
}

/** What a repository or project is asked to do. */
export interface LabelShelf {
  /** Whether it has a label of this name. */
  has(name: string): boolean;
  create(name: string, look: Look): Promise<unknown>;
}

const LOOKS: Readonly<Record<Lifecycle, Look>> = {
  pending: { color: 'fbca04', description: 'Agent Smith: waits to be picked up' },
  enqueued: { color: 'c5def5', description: 'Agent Smith: picked up, waits for a worker' },
  'in-progress': { color: '1d76db', description: 'Agent Smith: a pipeline is running' },
  done: { color: '0e8a16', description: 'Agent Smith: the pipeline succeeded' },
  failed: { color: 'b60205', description: 'Agent Smith: the pipeline failed' },
};

/** Creates what is missing. That we may not is no error: a label also comes into being by being used, only grey. */
export async function createLifecycleLabels(shelf: LabelShelf): Promise<void> {
  for (const lifecycle of LIFECYCLES) {
    const name = lifecycleLabel(lifecycle);
    if (shelf.has(name)) continue;
    try {
      await shelf.create(name, LOOKS[lifecycle]);
    } catch (error) {
      if (!(error instanceof PlatformError)) throw error;
      if (error.status === 403 || error.status === 404) return;
      // A conflict: somebody else was faster.
      if (error.kind !== 'conflict') throw error;
    }
  }
}

const createDone = (): Set<string> => new Set();

/** Does it once for each source in the life of the process; again only when it failed. */
export async function oncePerSource(
  client: { readonly source: TicketSource; shared<T>(create: () => T): T },
  act: () => Promise<void>,
): Promise<void> {
  const done = client.shared(createDone);
  const source = sourceKey(client.source);
  if (done.has(source)) return;
  await act();
  done.add(source);
}
