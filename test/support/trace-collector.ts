/**
 * A collector of traces as OpenTelemetry's protocol describes it: takes OTLP in JSON over HTTP and keeps the spans. On demand
 * it misbehaves, as collectors and the proxies before them do. Closed when the test is over.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { json, type LoopbackServer, startLoopbackServer } from './loopback-server.ts';
import { type Scope, thisTest } from './scope.ts';

export interface SeenSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | undefined;
  readonly name: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly isError: boolean;
  readonly attributes: Readonly<Record<string, string | number | boolean>>;
  /** Of the process that sent it. */
  readonly resource: Readonly<Record<string, string | number | boolean>>;
}

export interface TraceCollector {
  /** For `telemetry.endpoint`. */
  readonly endpoint: string;
  /** In the order of arrival. */
  readonly spans: readonly SeenSpan[];
  readonly requests: LoopbackServer['requests'];
  /** Everything that was sent, as it was sent. */
  readonly bodies: readonly string[];
  /** Requests that it has not answered yet. */
  open(): number;
  /** What it answers from now on instead of taking spans. */
  misbehave(how: (response: ServerResponse) => void): void;
  /** Takes spans again. */
  recover(): void;
}

interface Attribute {
  readonly key: string;
  readonly value: Readonly<Record<string, unknown>>;
}

interface OtlpSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly status: { readonly code: number };
  readonly attributes: readonly Attribute[];
}

interface OtlpRequest {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly Attribute[] };
    readonly scopeSpans: readonly { readonly spans: readonly OtlpSpan[] }[];
  }[];
}

const ERROR_STATUS = 2;

export async function startTraceCollector(scope: Scope = thisTest): Promise<TraceCollector> {
  const spans: SeenSpan[] = [];
  const bodies: string[] = [];
  let misbehaviour: ((response: ServerResponse) => void) | undefined;

  let open = 0;

  const take = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await text(request);
    if (misbehaviour !== undefined) return misbehaviour(response);
    bodies.push(body);
    spans.push(...spansIn(JSON.parse(body) as OtlpRequest));
    json(response, 200, { partialSuccess: {} });
  };
  const server = await startLoopbackServer((request, response) => {
    open += 1;
    response.on('close', () => (open -= 1));
    take(request, response).catch(() => response.destroy());
  });
  scope.onTestFinished(() => server[Symbol.asyncDispose]());
  return {
    endpoint: server.origin,
    spans,
    bodies,
    requests: server.requests,
    open: () => open,
    misbehave: (how) => {
      misbehaviour = how;
    },
    recover: () => {
      misbehaviour = undefined;
    },
  };
}

function spansIn({ resourceSpans }: OtlpRequest): SeenSpan[] {
  return resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap(({ spans }) =>
      spans.map((span) => ({
        traceId: span.traceId,
        spanId: span.spanId,
        parentSpanId: span.parentSpanId,
        name: span.name,
        startMs: msOf(span.startTimeUnixNano),
        endMs: msOf(span.endTimeUnixNano),
        isError: span.status.code === ERROR_STATUS,
        attributes: plain(span.attributes),
        resource: plain(resource.attributes),
      })),
    ),
  );
}

/** Nanoseconds since 1970 are too many for a number. */
function msOf(nanoseconds: string): number {
  return Number(BigInt(nanoseconds) / 1_000n) / 1_000;
}

function plain(attributes: readonly Attribute[]): Record<string, string | number | boolean> {
  return Object.fromEntries(
    attributes.map(({ key, value }) => [key, Object.values(value)[0] as string | number | boolean]),
  );
}
