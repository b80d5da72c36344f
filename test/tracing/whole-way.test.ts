/** A ticket's way in one trace, as a collector of traces is told of it. */
import { expect, test } from 'vitest';
import type { Config } from '../../src/config/config.ts';
import type { GitHubEmulator } from '../../src/emulators/github/github-emulator.ts';
import { traceIdOf } from '../../src/tracing/span-ids.ts';
import { load } from '../config/load-text.ts';
import { startApp } from '../support/app.ts';
import { REPOSITORY, startHub, TOKEN } from '../support/house.ts';
import { useRedis } from '../support/redis.ts';
import { type SeenSpan, startTraceCollector, type TraceCollector } from '../support/trace-collector.ts';
import { until } from '../support/until.ts';
import { SECRET, sendLabeled, webhookProject } from '../webhooks/senders.ts';

const redis = useRedis();
const POLLED = '\n    polling: { enabled: true, interval_seconds: 1 }';
const HOURLY = '\n    polling: { enabled: true, interval_seconds: 3600 }';

interface Settings {
  readonly more?: string;
  readonly command?: readonly string[];
  readonly telemetry?: string;
  readonly env?: Readonly<Record<string, string>>;
}

const configOf = (
  hub: GitHubEmulator,
  { more = POLLED, command = ['true'], telemetry = '', env }: Settings,
): Promise<Config> =>
  load(
    `projects: ${webhookProject(hub, more)}
pipelines: { fix-bug: { command: ${JSON.stringify(command)} } }
${telemetry}`,
    { GITHUB_TOKEN: TOKEN, REDIS_URL: redis.url, ...env },
  );

const toCollector = ({ endpoint }: TraceCollector, more = ''): string =>
  `telemetry: { endpoint: "${endpoint}", service_name: smith-of-the-tests${more} }`;

/** All spans of the one run, once it has been told to its end. */
async function wholeTrace({ spans }: TraceCollector): Promise<readonly SeenSpan[]> {
  const root = await until('the whole way is told', () => spans.find(({ name }) => name === 'ticket'));
  expect(new Set(spans.map(({ traceId }) => traceId)).size).toBe(1);
  expect(root.traceId).toBe(traceIdOf(String(root.attributes['cicd.pipeline.run.id'])));
  return spans;
}

/** Names from the root down to each span, sorted. */
function tree(spans: readonly SeenSpan[]): string[] {
  const pathTo = ({ name, parentSpanId }: SeenSpan): string => {
    if (parentSpanId === undefined) return name;
    const parent = spans.find(({ spanId }) => spanId === parentSpanId);
    return `${parent === undefined ? 'NOBODY' : pathTo(parent)} > ${name}`;
  };
  return spans.map(pathTo).toSorted();
}

const named = (spans: readonly SeenSpan[], name: string): SeenSpan => {
  const [found, second] = spans.filter((span) => span.name === name);
  if (found === undefined || second !== undefined) throw new Error(`not one span ${name}`);
  return found;
};

const STEPS = [
  'ticket',
  'ticket > attempt',
  'ticket > attempt > runner',
  'ticket > claim',
  'ticket > claim > label',
  'ticket > claim > read ticket',
  'ticket > comment',
  'ticket > label',
  'ticket > label',
  'ticket > queue',
  'ticket > queue > read ticket',
];

test('from a delivery to the label of its end: one trace, whose steps lie in their order', async () => {
  const [hub, collector] = [await startHub(), await startTraceCollector()];
  const { app, port } = await startApp(await configOf(hub, { more: HOURLY, telemetry: toCollector(collector) }));
  await until('the poll at the start is over', () => app.health().projects[0]?.last_poll);
  hub.openIssue(REPOSITORY, { title: 'a title of the tests', labels: ['agent-smith'] });
  await sendLabeled({ port }, hub, 1);
  const spans = await wholeTrace(collector);

  expect(tree(spans)).toEqual([...STEPS, 'ticket > delivery'].toSorted());
  const [root, attempt] = [named(spans, 'ticket'), named(spans, 'attempt')];
  expect(root.attributes).toMatchObject({
    'agentsmith.project': 'api',
    'agentsmith.trigger': 'webhook',
    'agentsmith.state': 'completed',
    'cicd.pipeline.name': 'fix-bug',
    'cicd.pipeline.result': 'success',
  });
  expect(attempt.attributes).toMatchObject({ 'agentsmith.attempt': 1, 'agentsmith.worker': 'pod-1' });
  expect(named(spans, 'runner').attributes).toMatchObject({ 'process.exit.code': 0 });
  expect(root.resource).toMatchObject({ 'service.name': 'smith-of-the-tests', 'service.instance.id': 'pod-1' });

  const inOrder = ['delivery', 'claim', 'queue', 'attempt', 'comment'].map((name) => named(spans, name));
  for (const [i, span] of inOrder.slice(1).entries()) {
    expect(span.startMs).toBeGreaterThanOrEqual((inOrder[i]?.startMs ?? 0) - 5);
    expect(span.endMs).toBeGreaterThanOrEqual(span.startMs);
  }
  expect(root.startMs).toBe(inOrder[0]?.startMs);
  expect(root.endMs).toBe(Math.max(...spans.map(({ endMs }) => endMs)));
  const moves = spans
    .filter(({ name }) => name === 'label')
    .map(({ attributes: a }) => `${a['agentsmith.label.from']} > ${a['agentsmith.label.to']}`);
  expect(moves.toSorted()).toEqual(['enqueued > in-progress', 'in-progress > done', 'none > enqueued']);
  const sent = collector.bodies.join('');
  for (const word of ['a title of the tests', TOKEN, SECRET, 'http://']) expect(sent).not.toContain(word);
});
