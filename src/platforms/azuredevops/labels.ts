/**
 * Writing labels on the one platform with compare-and-swap: the tags are read with their revision and written as a whole
 * on the condition that the revision is still the same. So the change is one act, and what a person does between the two
 * is never written over: the write is refused, and we read again.
 */
import { hasLabel, type Lifecycle, lifecycleLabel, lifecycleOf } from '../../domain/lifecycle.ts';
import type { Ticket } from '../../domain/ticket.ts';
import { sleep } from '../../foundation/loop.ts';
import { type Call, PlatformError } from '../contract.ts';
import type { AzureDevOpsClient, AzureDevOpsSession } from './client.ts';
import { type WorkItem, workItemSchema } from './work-item.ts';

/** People do not edit one work item that often; whoever does is a program, and has to let others through at times. */
const MAX_TRIES = 20;
const LONGEST_PAUSE_MS = 100;

/** Makes `to` the only lifecycle label; see `TicketPlatform.moveLifecycle`. */
export function moveLifecycle(
  client: AzureDevOpsClient,
  ticket: Ticket,
  to: Lifecycle | undefined,
  call: Call,
): Promise<readonly string[]> {
  const known = client.readFrom.get(ticket);
  return client.run(`move #${ticket.id} to ${to ?? 'no lifecycle label'}`, call, async (azure) => {
    // What was read before will do for a write, which is refused if it is out of date; never for writing nothing.
    const isWorthTrying = known !== undefined && withLifecycle(known.fields['System.Tags'], to) !== undefined;
    let item = isWorthTrying ? known : await readWorkItem(azure, ticket.id);
    for (let tries = 1; ; tries += 1) {
      const wanted = withLifecycle(item.fields['System.Tags'], to);
      if (wanted === undefined) return item.fields['System.Tags'];
      try {
        return await writeTags(azure, item, wanted);
      } catch (error) {
        if (!(error instanceof PlatformError) || error.kind !== 'conflict' || tries === MAX_TRIES) throw error;
      }
      // At random, so that two who collide do not do so again.
      await sleep(Math.random() * Math.min(5 * 2 ** tries, LONGEST_PAUSE_MS), azure.signal);
      item = await readWorkItem(azure, ticket.id);
    }
  });
}

export async function readWorkItem(azure: AzureDevOpsSession, id: string): Promise<WorkItem> {
  // Without a list of fields: a collection in which one of them does not exist would refuse.
  return azure.read(workItemSchema, await azure.api.getWorkItem(azure.workItem(id)));
}

/** The tags with `to` as the only lifecycle, all others as and where they are; undefined when that is so already. */
function withLifecycle(tags: readonly string[], to: Lifecycle | undefined): string[] | undefined {
  const target = to === undefined ? [] : [lifecycleLabel(to)];
  const kept = tags.filter((tag) => lifecycleOf(tag) === undefined || hasLabel(target, tag));
  const added = target.filter((label) => !hasLabel(tags, label));
  return kept.length === tags.length && added.length === 0 ? undefined : [...kept, ...added];
}

async function writeTags(
  { api, read }: AzureDevOpsSession,
  item: WorkItem,
  tags: readonly string[],
): Promise<string[]> {
  const patch = [
    { op: 'test', path: '/rev', value: item.rev },
    // Adding appends, so only a replacement can take a tag away; a field without a value is not there to be replaced.
    {
      op: item.fields['System.Tags'].length === 0 ? 'add' : 'replace',
      path: '/fields/System.Tags',
      value: tags.join('; '),
    },
  ];
  const written = await api.updateWorkItem({}, patch, item.id);
  return read(workItemSchema, written).fields['System.Tags'];
}
