/**
 * What etcd is to Kubernetes: objects with resource versions from one counter, and the history of their changes, from which
 * watches are fed. The history can be compacted: who asks for what came before has to list again.
 */
import { randomUUID } from 'node:crypto';
import type { Kinds, KubeObject, Plural } from './objects.ts';

export type EventType = 'ADDED' | 'MODIFIED' | 'DELETED';

export interface Change {
  readonly version: number;
  readonly plural: Plural;
  readonly type: EventType;
  /** As it is after the change; for DELETED as it was. */
  readonly object: KubeObject;
  readonly before: KubeObject | undefined;
}

export interface Store {
  /** Of the last change. */
  version(): number;
  /** Copies, in the order of their names. */
  list<P extends Plural>(plural: P, namespace?: string): Kinds[P][];
  read<P extends Plural>(plural: P, namespace: string, name: string): Kinds[P] | undefined;
  create<P extends Plural>(plural: P, object: Kinds[P]): Kinds[P];
  /** Takes the object as it should be; one that is no different changes nothing. */
  replace<P extends Plural>(plural: P, object: Kinds[P]): Kinds[P];
  remove(plural: Plural, namespace: string, name: string): void;
  /** Changes after a version, or `expired` when they are not known any more. */
  since(version: number): readonly Change[] | 'expired';
  /** Forgets the history up to now. */
  compact(): void;
  /** Calls for each further change; returns how to stop. */
  subscribe(listener: (change: Change) => void): () => void;
}

export function createStore(nowMs: () => number): Store {
  const objects = { jobs: new Map(), pods: new Map(), secrets: new Map() } as {
    readonly [P in Plural]: Map<string, Kinds[P]>;
  };
  const listeners = new Set<(change: Change) => void>();
  let history: Change[] = [];
  let compactedTo = 1000;
  let version = 1000;

  const keyOf = (namespace: string, name: string): string => `${namespace}/${name}`;
  const note = (plural: Plural, type: EventType, object: KubeObject, before: KubeObject | undefined): void => {
    const change = { version, plural, type, object: structuredClone(object), before };
    history.push(change);
    for (const listener of listeners) listener(change);
  };
  const put = <P extends Plural>(plural: P, object: Kinds[P], type: EventType): Kinds[P] => {
    const key = keyOf(object.metadata.namespace, object.metadata.name);
    const before = objects[plural].get(key);
    version += 1;
    const stored = structuredClone(object);
    stored.metadata.resourceVersion = String(version);
    objects[plural].set(key, stored);
    note(plural, type, stored, before);
    return structuredClone(stored);
  };

  return {
    version: () => version,
    list: <P extends Plural>(plural: P, namespace?: string) =>
      [...objects[plural].values()]
        .filter(({ metadata }) => namespace === undefined || metadata.namespace === namespace)
        .sort((a, b) => a.metadata.name.localeCompare(b.metadata.name))
        .map((object) => structuredClone(object)),
    read: <P extends Plural>(plural: P, namespace: string, name: string) => {
      const found = objects[plural].get(keyOf(namespace, name));
      return found && structuredClone(found);
    },
    create(plural, object) {
      const made = structuredClone(object);
      made.metadata.uid = randomUUID();
      made.metadata.creationTimestamp = timestamp(nowMs());
      return put(plural, made, 'ADDED');
    },
    replace<P extends Plural>(plural: P, object: Kinds[P]) {
      const before = objects[plural].get(keyOf(object.metadata.namespace, object.metadata.name));
      const isSame = before !== undefined && JSON.stringify(before) === JSON.stringify(object);
      return isSame ? structuredClone(before) : put(plural, object, 'MODIFIED');
    },
    remove(plural, namespace, name) {
      const key = keyOf(namespace, name);
      const before = objects[plural].get(key);
      if (before === undefined) return;
      objects[plural].delete(key);
      version += 1;
      const last = structuredClone(before);
      last.metadata.resourceVersion = String(version);
      note(plural, 'DELETED', last, before);
    },
    since: (from) => (from < compactedTo ? 'expired' : history.filter((change) => change.version > from)),
    compact() {
      history = [];
      compactedTo = version;
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

/** Kubernetes writes times to the second. */
export function timestamp(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');
}
