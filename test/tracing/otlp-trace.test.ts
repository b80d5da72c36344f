/** What a collector is told, and what becomes of spans that it does not take. */
import type { ServerResponse } from 'node:http';
import { expect, onTestFinished, test } from 'vitest';
import type { Span } from '../../src/foundation/trace.ts';
import { type OtlpTrace, type OtlpTraceOptions, openOtlpTrace } from '../../src/tracing/otlp-trace.ts';
import { spanIdOf, traceIdOf } from '../../src/tracing/span-ids.ts';
import { silentLog } from '../support/house.ts';
import { startTraceCollector, type TraceCollector } from '../support/trace-collector.ts';
import { until } from '../support/until.ts';

const LONG_MS = 60_000;
const AT_MS = Date.UTC(2020, 1, 2, 3, 4, 5, 678);

interface Opened {
  readonly trace: OtlpTrace;
  readonly counted: { sent: number; lost: number };
}

function open(collector: Pick<TraceCollector, 'endpoint'>, options: Partial<OtlpTraceOptions> = {}): Opened {
  const counted = { sent: 0, lost: 0 };
  const trace = openOtlpTrace(
    {
      nowMs: () => AT_MS,
      redact: (text) => text.replaceAll('hunter2', '[redacted]'),
      onSpans: ({ result, spans }) => {
        counted[result] += spans;
      },
      log: silentLog,
    },
    {
      url: `${collector.endpoint}/v1/traces`,
      headers: {},
      sampleRatio: 1,
      resource: { 'service.name': 'tests' },
      traceBatchMs: 10,
      traceExportMs: 400,
      ...options,
    },
  );
  onTestFinished(() => trace.close(0));
  return { trace, counted };
}

const spanOf = (trace: string, more: Partial<Span> = {}): Span => ({
  trace,
  name: 'attempt',
  key: 'attempt/1',
  parent: 'ticket',
  startMs: AT_MS,
  endMs: AT_MS + 1_500,
  ...more,
});

test('a span arrives as it was told, under ids that anybody can work out, also one from before this process began', async () => {
  const collector = await startTraceCollector();
  const { trace, counted } = open(collector, { headers: { 'x-team': 'a' } });
  const attributes = { 'agentsmith.attempt': 1, gone: undefined, word: 'not hunter2' };
  trace.tell(spanOf('run-1', { attributes, failure: 'timed-out' }));
  trace.tell(spanOf('run-1', { name: 'ticket', key: 'ticket', parent: undefined, endMs: AT_MS - 50 }));
  await until('both are there', () => collector.spans.length === 2);
  expect(collector.spans).toMatchObject([
    {
      traceId: traceIdOf('run-1'),
      spanId: spanIdOf('run-1', 'attempt/1'),
      parentSpanId: spanIdOf('run-1', 'ticket'),
      startMs: AT_MS,
      endMs: AT_MS + 1_500,
      isError: true,
      resource: { 'service.name': 'tests' },
    },
    { parentSpanId: undefined, startMs: AT_MS, endMs: AT_MS, isError: false },
  ]);
  expect(collector.spans[0]?.attributes).toEqual({
    'agentsmith.attempt': 1,
    word: 'not [redacted]',
    'error.type': 'timed-out',
  });
  expect(collector.requests[0]).toMatchObject({ url: '/v1/traces', headers: { 'x-team': 'a' } });
  await until('they are counted', () => counted.sent === 2);
  expect(counted.lost).toBe(0);
});

test('a span that cannot be made is lost, and whoever told it goes on', async () => {
  const collector = await startTraceCollector();
  const { trace, counted } = open(collector);
  const attributes = Object.defineProperty({}, 'broken', {
    enumerable: true,
    get() {
      throw new Error('of the test');
    },
  });
  trace.tell(spanOf('run-1', { attributes }));
  expect(counted.lost).toBe(1);
  trace.tell(spanOf('run-1', { attributes: { long: 'x'.repeat(5_000) } }));
  await until('the next one is there', () => collector.spans[0]);
  expect(collector.spans[0]?.attributes).toEqual({ long: 'x'.repeat(1_000) });
});

test('the ids are those of the documented command line', () => {
  // printf %s 01JTRACE | sha256sum
  expect(traceIdOf('01JTRACE')).toBe('0426a6170fc0c1c60b359ee4b7a33105');
  expect(spanIdOf('a', undefined)).not.toBe(spanIdOf('a', undefined));
});

test('of a part of the traces every process sends the same whole ones, and says so to whoever continues them', async () => {
  const collectors = [await startTraceCollector(), await startTraceCollector()];
  const opened = collectors.map((collector) => open(collector, { sampleRatio: 0.5 }));
  const runs = Array.from({ length: 40 }, (_, i) => `run-${i}`);
  for (const run of runs) for (const { trace } of opened) trace.tell(spanOf(run));
  await Promise.all(opened.map(({ trace }) => trace.close(LONG_MS)));
  const [ours, theirs] = collectors.map(({ spans }) => spans.map(({ traceId }) => traceId).toSorted());
  expect(ours).toEqual(theirs);
  expect(ours?.length).toBeGreaterThan(5);
  expect(ours?.length).toBeLessThan(35);
  const continued = runs.filter((run) => opened[0]?.trace.contextOf(run, 'runner/1')?.endsWith('-01'));
  expect(continued.map(traceIdOf).toSorted()).toEqual(ours);
});

const MISBEHAVIOURS: Readonly<Record<string, (response: ServerResponse) => void>> = {
  hangs: () => {},
  refuses: (response) => response.writeHead(401).end('who are you?'),
  'is overloaded': (response) => response.writeHead(503).end(),
  'hangs up': (response) => response.destroy(),
  'answers a page for people': (response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<html>'),
  'never ends its answer': (response) => {
    const drip = setInterval(() => response.write(' '), 20);
    response.on('close', () => clearInterval(drip));
  },
  'rejects some': (response) => response.writeHead(200).end('{"partialSuccess":{"rejectedSpans":"1"}}'),
};

test.each(Object.keys(MISBEHAVIOURS))(
  'a collector that %s: the spans are counted as lost, and the next ones are sent',
  async (how) => {
    const collector = await startTraceCollector();
    const { trace, counted } = open(collector);
    collector.misbehave(MISBEHAVIOURS[how] ?? (() => {}));
    trace.tell(spanOf('run-1'));
    await until('it is lost', () => counted.lost === 1);
    collector.recover();
    trace.tell(spanOf('run-2'));
    await until('the next one is sent', () => counted.sent === 1);
    expect(collector.spans.map(({ traceId }) => traceId)).toEqual([traceIdOf('run-2')]);
    expect(counted).toEqual({ sent: 1, lost: 1 });
  },
);

test('a collector that is not there loses the spans too', async () => {
  const { trace, counted } = open({ endpoint: 'http://127.0.0.1:1' });
  trace.tell(spanOf('run-1'));
  await until('it is lost', () => counted.lost === 1);
});

test('what waits is bounded: beyond that spans are dropped at once, and the end waits no longer than it may', async () => {
  const collector = await startTraceCollector();
  const { trace, counted } = open(collector);
  collector.misbehave(() => {});
  for (let n = 0; n < 3_000; n += 1) trace.tell(spanOf(`run-${n}`));
  expect(counted).toEqual({ sent: 0, lost: 3_000 - 2_048 });
  await trace.close(20);
  expect(counted).toEqual({ sent: 0, lost: 3_000 });
  trace.tell(spanOf('run-late'));
  await until('the library has given up too', () => collector.requests.length > 0 && collector.open() === 0);
  expect(counted).toEqual({ sent: 0, lost: 3_000 });
});

test('at the end everything that waits is sent', async () => {
  const collector = await startTraceCollector();
  const { trace, counted } = open(collector, { traceBatchMs: LONG_MS });
  for (let n = 0; n < 1_000; n += 1) trace.tell(spanOf(`run-${n}`));
  await trace.close(LONG_MS);
  expect(counted).toEqual({ sent: 1_000, lost: 0 });
  expect(collector.spans).toHaveLength(1_000);
});
