/**
 * Requests by the client library, with what it lacks: a deadline and a signal for each, and a body that is taken as it comes.
 * Its own watch cannot be ended before the server has answered. But it has middleware: that puts our signal into a request,
 * and takes the body of a watch or a log before the library would wait for its end.
 */
import type * as Kubernetes from '@kubernetes/client-node';
import type {
  ConfigurationOptions,
  ObservableMiddleware,
  RequestContext,
  ResponseContext,
} from '@kubernetes/client-node';
import { type ClusterCall, ClusterError, type Watch } from './cluster.ts';
import { clusterError, watchedError } from './cluster-errors.ts';

export type Library = typeof Kubernetes;

/** Logs are plain text. */
const API_TYPES = /^(application\/json|text\/plain)\b/;

export interface WatchQuery {
  readonly watch: true;
  readonly allowWatchBookmarks: true;
  readonly resourceVersion: string;
  readonly timeoutSeconds: number;
}

/** Each throws `ClusterError` for whatever goes wrong. */
export interface Requests {
  ask<T>(call: ClusterCall, act: (options: ConfigurationOptions) => Promise<T>): Promise<T>;
  /** Sends the body of a PATCH as a merge patch. */
  askToMerge<T>(call: ClusterCall, act: (options: ConfigurationOptions) => Promise<T>): Promise<T>;
  /** Hands over the body of a text in chunks. */
  read(
    call: ClusterCall,
    onChunk: (chunk: Buffer) => void,
    act: (options: ConfigurationOptions) => Promise<unknown>,
  ): Promise<void>;
  watch(watch: Watch, act: (query: WatchQuery, options: ConfigurationOptions) => Promise<unknown>): Promise<void>;
}

export function createRequests(library: Library): Requests {
  const middleware = (
    pre: (request: RequestContext) => void,
    post?: (response: ResponseContext) => Promise<ResponseContext>,
  ): ObservableMiddleware => ({
    pre(request) {
      pre(request);
      return new library.Observable(Promise.resolve(request));
    },
    post: (response) => new library.Observable(post === undefined ? Promise.resolve(response) : post(response)),
  });
  const under = (signal: AbortSignal): ObservableMiddleware =>
    middleware(
      (request) => request.setSignal(signal),
      async (response) => {
        const type = response.headers['content-type'] ?? '';
        // A sign-in page with status 200 is no answer of a cluster; the library would take it for one.
        if (response.httpStatusCode < 300 && !API_TYPES.test(type)) {
          throw new ClusterError('unavailable', `something that is no cluster answered (${type})`);
        }
        return response;
      },
    );
  const merging = library.setHeaderMiddleware('Content-Type', library.PatchStrategy.MergePatch);
  /** In place of the body, which is read by then, the library is given one that it can make something of. */
  const taking = (onChunk: (chunk: Buffer) => void, instead: string): ObservableMiddleware =>
    middleware(
      () => {},
      async (response) => {
        if (response.httpStatusCode !== 200) return response;
        for await (const chunk of response.body.stream() ?? []) onChunk(Buffer.from(chunk));
        const body = new library.SelfDecodingBody(Promise.resolve(Buffer.from(instead)));
        return new library.ResponseContext(200, { 'content-type': 'application/json' }, body);
      },
    );
  const perform = async <T>(
    act: (options: ConfigurationOptions) => Promise<T>,
    ...steps: ObservableMiddleware[]
  ): Promise<T> => {
    try {
      return await act({ middleware: steps, middlewareMergeStrategy: 'append' });
    } catch (error) {
      throw clusterError(error);
    }
  };
  const limited = ({ signal, deadlineMs }: ClusterCall): ObservableMiddleware =>
    under(AbortSignal.any([signal, AbortSignal.timeout(Math.ceil(deadlineMs))]));

  return {
    ask: (call, act) => perform(act, limited(call)),
    askToMerge: (call, act) => perform(act, limited(call), merging),
    async read(call, onChunk, act) {
      await perform(act, limited(call), taking(onChunk, '""'));
    },
    async watch({ resourceVersion, forMs, quietMs, signal, onEvent }, act) {
      const quiet = new AbortController();
      const timer = setTimeout(() => quiet.abort(new Error('nothing was heard in a watch')), quietMs);
      let broken: ClusterError | undefined;
      const readLines = lineReader((line) => {
        const event = eventOf(line);
        if (event instanceof ClusterError) broken ??= event;
        else if (event !== undefined) onEvent(event);
      });
      const take = taking((chunk) => {
        timer.refresh();
        readLines(chunk);
      }, '{"items":[]}');
      const timeoutSeconds = Math.max(1, Math.ceil(forMs / 1000));
      const query = { watch: true, allowWatchBookmarks: true, resourceVersion, timeoutSeconds } as const;
      try {
        await perform((options) => act(query, options), under(AbortSignal.any([signal, quiet.signal])), take);
      } finally {
        clearTimeout(timer);
      }
      if (broken !== undefined) throw broken;
    },
  };
}

interface WatchLine {
  readonly type?: string;
  readonly object?: {
    readonly code?: number;
    readonly message?: string;
    readonly metadata?: { readonly resourceVersion?: string };
  };
}

/** An error inside a watch comes as an event. Half a line, as a cut connection leaves it, is no event. */
function eventOf(line: string): Parameters<Watch['onEvent']>[0] | ClusterError | undefined {
  let event: WatchLine;
  try {
    event = JSON.parse(line) as WatchLine;
  } catch {
    return undefined;
  }
  if (event.type === 'ERROR') return watchedError(event.object ?? {});
  const resourceVersion = event.object?.metadata?.resourceVersion ?? '';
  return { kind: event.type === 'BOOKMARK' ? 'bookmark' : 'change', resourceVersion };
}

function lineReader(onLine: (line: string) => void): (chunk: Buffer) => void {
  const decoder = new TextDecoder();
  let rest = '';
  return (chunk) => {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (line !== '') onLine(line);
  };
}
