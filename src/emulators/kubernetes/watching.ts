/** Watches: what has changed since a version, then whatever changes, one JSON object a line, until the time is up. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Answer, AnswerStream } from '../faults.ts';
import { status } from './answers.ts';
import type { Kinds, KubeObject, Plural } from './objects.ts';
import { matchesSelectors, type Selectors } from './selectors.ts';
import type { Change, Store } from './store.ts';

export interface WatchQuestion extends Selectors {
  readonly plural: Plural;
  readonly namespace: string;
  /** Undefined: begins with everything that is there. */
  readonly from: number | undefined;
  readonly bookmarks: boolean;
  readonly timeoutSeconds: number | undefined;
}

export interface Watches {
  open(question: WatchQuestion): Answer;
  /** What is selected now; copies. */
  select<P extends Plural>(plural: P, namespace: string, selectors: Selectors): Kinds[P][];
  /** Open ones. */
  count(): number;
  /** Tells those who asked for bookmarks how far they have come. */
  sendBookmarks(): void;
  /** Closes the connections of all of them in the middle of things. */
  cut(): void;
}

/** So long a server keeps a watch open that names no time of its own; theirs is between 30 and 60 minutes. */
const DEFAULT_SECONDS = 1800;

const API_VERSIONS: Readonly<Record<Plural, { apiVersion: string; kind: string }>> = {
  jobs: { apiVersion: 'batch/v1', kind: 'Job' },
  pods: { apiVersion: 'v1', kind: 'Pod' },
  secrets: { apiVersion: 'v1', kind: 'Secret' },
};

export function createWatches(store: Store): Watches {
  const open = new Set<{ readonly out: AnswerStream; readonly bookmark: () => void }>();

  const follow = async (question: WatchQuestion, out: AnswerStream): Promise<void> => {
    const { plural, namespace, from, bookmarks, timeoutSeconds = DEFAULT_SECONDS } = question;
    const send = (type: string, object: unknown): void => out.write(`${JSON.stringify({ type, object })}\n`);
    const selects = (object: KubeObject | undefined): boolean =>
      object !== undefined && object.metadata.namespace === namespace && matchesSelectors(object, question);
    const tell = (change: Change): void => {
      if (change.plural !== plural) return;
      const { type, object, before } = change;
      if (type === 'DELETED' ? selects(object) : selects(before) && !selects(object)) send('DELETED', object);
      else if (selects(object)) send(selects(before) ? 'MODIFIED' : 'ADDED', object);
    };
    const changes = from === undefined ? [] : store.since(from);
    if (changes === 'expired') {
      const message = `too old resource version: ${from} (${store.version()})`;
      send('ERROR', status(410, 'Expired', message));
      return;
    }
    if (from === undefined) {
      for (const object of store.list(plural, namespace)) if (selects(object)) send('ADDED', object);
    }
    for (const change of changes) tell(change);
    const bookmark = (): void => {
      if (!bookmarks) return;
      send('BOOKMARK', { ...API_VERSIONS[plural], metadata: { resourceVersion: String(store.version()) } });
    };
    const watch = { out, bookmark };
    const unsubscribe = store.subscribe(tell);
    open.add(watch);
    // The client may go first, then there is nobody to tell.
    await delay(timeoutSeconds * 1000, undefined, { signal: out.gone }).then(bookmark, () => undefined);
    open.delete(watch);
    unsubscribe();
  };

  return {
    open: (question) => ({
      status: 200,
      headers: { 'content-type': 'application/json' },
      body: '',
      stream: (out) => follow(question, out),
    }),
    select: (plural, namespace, selectors) =>
      store.list(plural, namespace).filter((object) => matchesSelectors(object, selectors)),
    count: () => open.size,
    sendBookmarks() {
      for (const { bookmark } of open) bookmark();
    },
    cut() {
      for (const { out } of open) out.cut();
    },
  };
}
