/**
 * What took how long, told to whoever collects that. The rooms below the roof know this much of traces and no more: with
 * `NO_TRACE`, which is the default everywhere, telling costs next to nothing. Who collects is `tracing/`.
 *
 * A trace is about one thing with a name that all processes know (a run's id). The ids of the trace, and of the spans that
 * have a key, are made from names alone, so any process can add to it, also after a crash or a loss of data, and what is told
 * twice is told under the same id.
 */

/** Word groups, numbers, flags: never a title, a text of others or a secret. What is undefined is left out. */
export type SpanAttributes = Readonly<Record<string, string | number | boolean | undefined>>;

export interface SpanFacts {
  /** What the trace is about. */
  readonly trace: string;
  /** Few and fixed: `attempt`. */
  readonly name: string;
  /** By this others can name it, as parent or to tell it again: unique in its trace. Undefined: nobody does. */
  readonly key?: string | undefined;
  /** Key of the span that it belongs to; undefined: it is the trace's root. */
  readonly parent?: string | undefined;
  /** `client`: another system is asked. Default `internal`. */
  readonly kind?: 'internal' | 'client' | 'consumer';
  readonly attributes?: SpanAttributes;
}

export interface Span extends SpanFacts {
  /** In the time of `Trace.nowMs`. */
  readonly startMs: number;
  readonly endMs: number;
  /** One word for what went wrong; undefined: nothing did. */
  readonly failure?: string | undefined;
}

export interface Trace {
  /** The time of spans, ms since the Unix epoch: the same for all processes, as far as each knows it. 0 when nobody collects. */
  nowMs(): number;
  /** Takes what is over. Never throws, never waits. */
  tell(span: Span): void;
  /** What lets others continue below a span (W3C `traceparent`); undefined when nobody collects. */
  contextOf(trace: string, key: string): string | undefined;
}

/** Nobody collects. */
export const NO_TRACE: Trace = { nowMs: () => 0, tell: () => {}, contextOf: () => undefined };

/**
 * Tells how long `act` took, and whether it failed. Its result and its error pass unchanged.
 * @param said what the result adds to the span
 */
export async function traced<T>(
  trace: Trace,
  facts: SpanFacts,
  act: () => Promise<T>,
  said: (result: T) => Pick<Span, 'attributes' | 'failure'> = () => ({}),
): Promise<T> {
  const startMs = trace.nowMs();
  const tell = ({ attributes, failure }: Pick<Span, 'attributes' | 'failure'>): void => {
    const all = { ...facts.attributes, ...attributes };
    trace.tell({ ...facts, startMs, endMs: trace.nowMs(), attributes: all, failure });
  };
  try {
    const result = await act();
    tell(said(result));
    return result;
  } catch (error) {
    tell({ failure: failureOf(error) });
    throw error;
  }
}

export interface HeldTrace extends Trace {
  /** Tells all that was held back, in its order. */
  release(): void;
  /** Nothing of it is worth telling, nor what comes yet. */
  drop(): void;
}

/** Holds back what it is told until it is known whether that is worth telling. */
export function holdBack(trace: Trace): HeldTrace {
  const held: Span[] = [];
  let isDropped = false;
  return {
    ...trace,
    tell: (span) => void held.push(span),
    release() {
      const spans = held.splice(0);
      if (!isDropped) spans.forEach(trace.tell);
    },
    drop() {
      isDropped = true;
    },
  };
}

/** The kind of an error where it has one, else its name: its message may hold anything. */
function failureOf(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  return 'kind' in error && typeof error.kind === 'string' ? error.kind : error.name;
}
