/**
 * Traces for a collector that speaks OTLP over HTTP, in JSON. The only file that knows OpenTelemetry, and loaded only where
 * traces are on (app/traces.ts): its libraries take a third of a second.
 *
 * Nothing here may delay or fail the work. What is told is put into a bounded queue and sent in batches in the background,
 * each within a deadline; a collector that hangs, refuses or answers nonsense loses spans, which are counted, and nothing else.
 */
import http from 'node:http';
import https from 'node:https';
import {
  DiagLogLevel,
  diag,
  type HrTime,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  trace as traceApi,
} from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { defaultResource, resourceFromAttributes } from '@opentelemetry/resources';
import {
  BatchSpanProcessor,
  SamplingDecision,
  type SpanExporter,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import { messageOf } from '../foundation/errors.ts';
import type { Span, SpanAttributes, SpanFacts, Trace } from '../foundation/trace.ts';
import { createExportWatch, type ExportWatch, type ExportWatchDeps } from './export-watch.ts';
import { spanIdOf, traceIdOf } from './span-ids.ts';

export interface OtlpTraceDeps extends ExportWatchDeps {
  readonly nowMs: () => number;
  readonly redact: (text: string) => string;
}

export interface OtlpTraceOptions {
  /** Where spans are posted to. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** 0 to 1: which part of the traces is sent. Decided by the id of a trace, so all processes agree. */
  readonly sampleRatio: number;
  /** What tells this process from others. */
  readonly resource: Readonly<Record<string, string>>;
  readonly traceBatchMs: number;
  readonly traceExportMs: number;
}

export interface OtlpTrace extends Trace {
  /** Sends what waits, for at most so long; the rest is lost. */
  close(patienceMs: number): Promise<void>;
}

/** About 2 MB. */
const MOST_WAITING = 2_048;
const MOST_IN_BATCH = 512;
/** Of one attribute. */
const MOST_CHARACTERS = 1_000;
/** `ExportResultCode.FAILED` of a package that comes with the others. */
const FAILED = 1;
const KINDS = { internal: SpanKind.INTERNAL, client: SpanKind.CLIENT, consumer: SpanKind.CONSUMER } as const;

export function openOtlpTrace(deps: OtlpTraceDeps, options: OtlpTraceOptions): OtlpTrace {
  const watch = createExportWatch(deps, { most: MOST_WAITING });
  const processor = new BatchSpanProcessor({
    exporter: watched(openExporter(options), watch, options.traceExportMs),
    maxQueueSize: MOST_WAITING,
    maxExportBatchSize: MOST_IN_BATCH,
    scheduledDelayMillis: options.traceBatchMs,
    exportTimeoutMillis: options.traceExportMs,
  });
  const sampler = new TraceIdRatioBasedSampler(options.sampleRatio);
  // The library asks for ids while a span is started, and not at any other time.
  let ids = { trace: '', span: '' };
  let isClosed = false;
  const tracer = new TracerProvider({
    resource: defaultResource().merge(resourceFromAttributes(options.resource)),
    sampler,
    spanLimits: { attributeValueLengthLimit: MOST_CHARACTERS },
    idGenerator: { generateTraceId: () => ids.trace, generateSpanId: () => ids.span },
    spanProcessors: [processor],
  }).getTracer('agent-smith');

  const isSampled = (traceId: string): boolean =>
    sampler.shouldSample(ROOT_CONTEXT, traceId).decision === SamplingDecision.RECORD_AND_SAMPLED;

  const attributesOf = ({ attributes = {}, failure }: Span): SpanAttributes => {
    const said = Object.entries({ ...attributes, 'error.type': failure }).filter(([, value]) => value !== undefined);
    return Object.fromEntries(said.map(([name, v]) => [name, typeof v === 'string' ? deps.redact(v) : v]));
  };

  const hand = (span: Span, traceId: string): void => {
    ids = { trace: traceId, span: spanIdOf(span.trace, span.key) };
    const started = tracer.startSpan(
      span.name,
      {
        kind: KINDS[span.kind ?? 'internal'],
        startTime: hrTimeOf(span.startMs),
        attributes: attributesOf(span),
      },
      parentContext(span, traceId),
    );
    if (span.failure !== undefined) started.setStatus({ code: SpanStatusCode.ERROR });
    // Clocks of two processes may differ by more than a step takes.
    started.end(hrTimeOf(Math.max(span.startMs, span.endMs)));
  };

  return {
    nowMs: deps.nowMs,
    tell(span) {
      const traceId = traceIdOf(span.trace);
      if (isClosed || !isSampled(traceId) || !watch.admit()) return;
      try {
        hand(span, traceId);
      } catch (error) {
        // Whoever tells is in the middle of something that matters more.
        watch.lost(1, messageOf(error));
      }
    },
    contextOf(trace, key) {
      const traceId = traceIdOf(trace);
      return `00-${traceId}-${spanIdOf(trace, key)}-${isSampled(traceId) ? '01' : '00'}`;
    },
    async close(patienceMs) {
      isClosed = true;
      const patience = Promise.withResolvers<void>();
      const timer = setTimeout(patience.resolve, patienceMs);
      // A batch that fails has been counted as lost.
      await Promise.race([processor.shutdown().catch(() => undefined), patience.promise]);
      clearTimeout(timer);
      watch.giveUp();
    },
  };
}

/** The agents of the process know its proxy (NODE_USE_ENV_PROXY) and its CAs. */
function openExporter({ url, headers, traceExportMs }: OtlpTraceOptions): SpanExporter {
  return new OTLPTraceExporter({
    url,
    headers: { ...headers },
    timeoutMillis: traceExportMs,
    httpAgentOptions: (protocol) => (protocol === 'https:' ? https.globalAgent : http.globalAgent),
  });
}

/**
 * Counts what becomes of each batch, and waits for none longer than its deadline: the library's own is started anew by each
 * byte of an answer. An answer that is none, such as a page for people, is success to the library, but for a complaint.
 */
function watched(exporter: SpanExporter, watch: ExportWatch, deadlineMs: number): SpanExporter {
  let complaint: string | undefined;
  const complain = (...said: unknown[]): void => {
    complaint = said.join(' ');
  };
  const quiet = (): void => {};
  const logger = { error: complain, warn: complain, info: quiet, debug: quiet, verbose: quiet };
  diag.setLogger(logger, { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true });
  return {
    export(spans, done) {
      let isOver = false;
      const settle: typeof done = (result) => {
        if (isOver) return;
        isOver = true;
        clearTimeout(timer);
        const why = result.error?.message ?? complaint;
        complaint = undefined;
        if (why === undefined) watch.sent(spans.length);
        else watch.lost(spans.length, why);
        done(result);
      };
      const overdue = (): void => settle({ code: FAILED, error: new Error('the collector did not answer in time') });
      const timer = setTimeout(overdue, deadlineMs).unref();
      complaint = undefined;
      exporter.export(spans, settle);
    },
    shutdown: () => exporter.shutdown(),
  };
}

function parentContext({ trace, parent }: SpanFacts, traceId: string) {
  if (parent === undefined) return ROOT_CONTEXT;
  const spanId = spanIdOf(trace, parent);
  return traceApi.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags: TraceFlags.SAMPLED });
}

/** Numbers alone would not do: the library takes those before the start of the process for times since that start. */
function hrTimeOf(ms: number): HrTime {
  const seconds = Math.floor(ms / 1000);
  return [seconds, Math.round((ms - seconds * 1000) * 1e6)];
}
