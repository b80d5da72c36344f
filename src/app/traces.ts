/**
 * Traces of runs, where a collector for them is configured. Everything of OpenTelemetry is behind the import in `start`: where
 * traces are off, nothing of it is loaded and nothing is measured.
 */
import { NO_TRACE, type Trace } from '../foundation/trace.ts';
import type { RedisConnection } from '../redis/connection.ts';
import { createRedisClock } from '../redis/redis-clock.ts';
import type { Metrics } from '../server/metrics.ts';
import type { OtlpTrace } from '../tracing/otlp-trace.ts';
import type { AppOptions } from './options.ts';

export interface Traces {
  readonly trace: Trace;
  /** Nothing is collected before. */
  start(): Promise<void>;
  /** Sends what waits, within its deadline. */
  close(): Promise<void>;
}

const OFF: Traces = { trace: NO_TRACE, start: async () => {}, close: async () => {} };

export function openTraces(
  { config, instance, version, timing, redactor, log }: AppOptions,
  redis: Pick<RedisConnection, 'timeMs'> | undefined,
  metrics: Pick<Metrics, 'traceSpans'>,
): Traces {
  const { traces: settings } = config;
  const target = config.secrets.traceTarget();
  if (settings === undefined || target === undefined || redis === undefined) return OFF;
  const clock = createRedisClock(redis, timing);
  const closing = new AbortController();
  let keeping = Promise.resolve();
  let opened: OtlpTrace | undefined;
  return {
    trace: {
      nowMs: clock.nowMs,
      tell: (span) => opened?.tell(span),
      contextOf: (run, key) => opened?.contextOf(run, key),
    },
    async start() {
      const { openOtlpTrace } = await import('../tracing/otlp-trace.ts');
      const { serviceName, sampleRatio } = settings;
      opened = openOtlpTrace(
        { nowMs: clock.nowMs, redact: redactor.redact, onSpans: metrics.traceSpans, log },
        {
          ...timing,
          ...target,
          sampleRatio,
          resource: {
            'service.version': version,
            'service.instance.id': instance,
            ...settings.resource,
            'service.name': serviceName,
          },
        },
      );
      keeping = clock.keep(closing.signal);
    },
    async close() {
      closing.abort();
      await Promise.all([keeping, opened?.close(timing.traceFlushMs)]);
    },
  };
}
