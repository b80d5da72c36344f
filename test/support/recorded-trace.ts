/** Collects spans in memory, for tests of what a room tells. */
import type { Span, Trace } from '../../src/foundation/trace.ts';

export interface RecordedTrace extends Trace {
  readonly spans: readonly Span[];
}

/** Its time is that of this machine. */
export function recordTrace(): RecordedTrace {
  const spans: Span[] = [];
  return {
    spans,
    nowMs: () => performance.timeOrigin + performance.now(),
    tell: (span) => void spans.push(span),
    contextOf: (trace, key) => `${trace} ${key}`,
  };
}
