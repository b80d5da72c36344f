/** What service hooks send, in the form of the real ones: an event, and what a subscription makes of it. */
import { guidOf, identityRef } from './identities.ts';
import { updateShape, workItemPage, workItemShape, workItemUrl } from './shapes.ts';
import type { Happening, WorkItem } from './state.ts';

export type EventType = `workitem.${Happening['kind']}`;

interface Resource extends Readonly<Record<string, unknown>> {
  readonly id: number;
  readonly url: string;
}

export interface HookEvent {
  /** The same in every delivery of it, whichever subscription sends it. */
  readonly id: string;
  readonly eventType: EventType;
  readonly resource: Resource;
}

/** @param base address of the collection */
export function eventOf(base: string, happening: Happening, { id, atMs }: { id: string; atMs: number }): HookEvent {
  const { item, kind } = happening;
  const { collection, project } = item;
  const by = happening.kind === 'commented' ? happening.comment.login : item.changedBy;
  const verb = kind === 'commented' ? 'commented on' : kind;
  const page = workItemPage(base, item);
  const name = `${item.type} #${item.id}`;
  const message = {
    text: `${name} (${item.title}) ${verb} by ${by}\r\n(${page})`,
    html: `<a href="${page}">${name}</a> (${item.title}) ${verb} by ${by}`,
    markdown: `[${name}](${page}) (${item.title}) ${verb} by ${by}`,
  };
  const container = { id: guidOf(collection.path), baseUrl: `${base}/` };
  const event = {
    id,
    eventType: `workitem.${kind}` as const,
    publisherId: 'tfs',
    message,
    detailedMessage: { ...message, text: `${message.text}\r\n\r\n- State: ${item.state}\r\n` },
    resource: resourceOf(base, happening),
    resourceVersion: '1.0',
    resourceContainers: {
      collection: container,
      // An own server is its own account.
      [collection.path.includes('/') ? 'server' : 'account']: container,
      project: { id: project.id, baseUrl: `${base}/` },
    },
    createdDate: new Date(atMs).toISOString(),
  };
  return event;
}

function resourceOf(base: string, happening: Happening): Resource {
  const { item } = happening;
  switch (happening.kind) {
    case 'created':
    case 'restored':
      return workItemShape(base, item);
    case 'deleted':
      return { ...workItemShape(base, item), url: `${base}/_apis/wit/recyclebin/${item.id}` };
    case 'commented': {
      const shape = workItemShape(base, item);
      return { ...shape, fields: { ...shape.fields, 'System.History': happening.comment.text } };
    }
    case 'updated': {
      const update = updateShape(base, item, happening.update);
      const parent = workItemUrl(base, item);
      return {
        ...update,
        revisedBy: { ...identityRef(item.changedBy), name: `${item.changedBy} <${item.changedBy}>` },
        _links: {
          self: { href: update.url },
          workItemUpdates: { href: `${parent}/updates` },
          parent: { href: parent },
        },
        revision: revisionOf(base, item),
      };
    }
    default:
      return happening satisfies never;
  }
}

function revisionOf(base: string, item: WorkItem) {
  const { id, rev, fields, url } = workItemShape(base, item);
  return { id, rev, fields, url: `${url}/revisions/${rev}` };
}

export interface Sending {
  readonly subscriptionId: string;
  readonly notificationId: number;
  /** What people chose as "resource details to send". */
  readonly details: 'all' | 'minimal' | 'none';
}

/** The body of a delivery. */
export function bodyOf(event: HookEvent, { details, ...ids }: Sending): object {
  const { resource, ...rest } = event;
  switch (details) {
    case 'all':
      return { ...ids, ...event };
    case 'minimal':
      return { ...ids, ...rest, resource: { id: resource.id, url: resource.url } };
    case 'none':
      return { ...ids, ...rest };
    default:
      return details satisfies never;
  }
}
