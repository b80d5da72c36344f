/**
 * What the work costs in requests. A budget is thousands of requests an hour for all projects of a credential, so a
 * further request in a claim is one ticket in three.
 */
import { expect, test } from 'vitest';
import { lifecycleLabel } from '../../../src/domain/lifecycle.ts';
import { callOf, freshLabel, isRead, listedIds, read, requestsDuring } from './calls.ts';
import type { At, Run } from './stages.ts';

interface Price {
  readonly reads: number;
  readonly writes: number;
}

/** Of a claim that finds a `pending`, which has to go. */
const CLAIM: Price = { reads: 1, writes: 1 };

const DEARER: Readonly<Record<string, Price>> = {
  // One request adds labels, another removes one.
  github: { reads: 1, writes: 2 },
};

export function cost(at: At, { name }: Run): void {
  test('a claim costs its read and the label writes', async () => {
    const { project, platform, server } = at();
    const claim = async (id: string): Promise<void> => {
      await platform.moveLifecycle(await read(platform, id), 'enqueued', callOf({ purpose: 'label' }));
    };
    // What an adapter asks once per credential is no part of a claim.
    await claim(project.openTicket().id);
    const { id } = project.openTicket({ labels: ['bug', lifecycleLabel('pending')] });
    const requests = await requestsDuring(server, () => claim(id));
    const reads = requests.filter(isRead).length;
    expect({ reads, writes: requests.length - reads }).toEqual(DEARER[name] ?? CLAIM);
  });

  test('an idle cycle costs one listing per label at most', async () => {
    const { platform, server } = at();
    const labels = [freshLabel(), freshLabel()];
    await listedIds(platform, labels);
    const requests = await requestsDuring(server, () => listedIds(platform, labels));
    expect(requests.length).toBeLessThanOrEqual(labels.length);
  });
}
