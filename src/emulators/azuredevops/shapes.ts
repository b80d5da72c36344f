/** Work items and what belongs to them, in the API's form. */
import { identityRef } from './identities.ts';
import { type Comment, fieldsOf, type Update, type WorkItem } from './state.ts';

/** In the form of the API: the last revision is "revised" at the end of time. */
const END_OF_TIME = '9999-01-01T00:00:00Z';

const timestamp = (ms: number): string => new Date(ms).toISOString();

export function workItemUrl(base: string, { id }: WorkItem): string {
  return `${base}/_apis/wit/workItems/${id}`;
}

/** The page for people. */
export function workItemPage(base: string, { id, project }: WorkItem): string {
  return `${base}/${encodeURIComponent(project.name)}/_workitems/edit/${id}`;
}

/** @param wanted names of the only fields to show; all when absent */
export function workItemShape(base: string, item: WorkItem, wanted?: readonly string[]) {
  const names = wanted && new Set(wanted.map((name) => name.toLowerCase()));
  const fields = Object.entries(allFields(item)).filter(([name]) => names?.has(name.toLowerCase()) ?? true);
  const url = workItemUrl(base, item);
  return {
    id: item.id,
    rev: item.rev,
    fields: Object.fromEntries(fields),
    ...(names === undefined && { _links: { self: { href: url }, html: { href: workItemPage(base, item) } } }),
    url,
  };
}

export function updateShape(base: string, item: WorkItem, { id, rev, login, atMs, fields }: Update) {
  const isLast = id === item.updates.length;
  return {
    id,
    workItemId: item.id,
    rev,
    revisedBy: identityRef(login),
    revisedDate: isLast ? END_OF_TIME : timestamp(atMs),
    fields: { 'System.Rev': { oldValue: rev - 1, newValue: rev }, ...fields },
    url: `${workItemUrl(base, item)}/updates/${id}`,
  };
}

export function commentShape(base: string, item: WorkItem, { id, text, login, createdAtMs }: Comment) {
  return {
    workItemId: item.id,
    id,
    version: 1,
    text,
    createdBy: identityRef(login),
    createdDate: timestamp(createdAtMs),
    modifiedBy: identityRef(login),
    modifiedDate: timestamp(createdAtMs),
    format: 'html',
    url: `${workItemUrl(base, item)}/comments/${id}`,
  };
}

function allFields(item: WorkItem) {
  return {
    ...fieldsOf(item),
    'System.Id': item.id,
    'System.Rev': item.rev,
    'System.IterationPath': item.project.name,
    'System.Reason': item.state,
    'System.CreatedDate': timestamp(item.createdAtMs),
    'System.CreatedBy': identityRef(item.createdBy),
    'System.ChangedDate': timestamp(item.changedAtMs),
    'System.ChangedBy': identityRef(item.changedBy),
    'System.CommentCount': item.comments.length,
  };
}
