/** A ticket's way in one trace, as a collector of traces is told of it. */
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import { expect, onTestFinished, test } from 'vitest';
import type { Config } from '../../src/config/config.ts';
import type { GitHubEmulator } from '../../src/emulators/github/github-emulator.ts';
import { createLog } from '../../src/foundation/log.ts';
import { createRedactor } from '../../src/foundation/redactor.ts';
import { spanIdOf, traceIdOf } from '../../src/tracing/span-ids.ts';
import { load } from '../config/load-text.ts';
import { startApp } from '../support/app.ts';
import { markFresh, REPOSITORY, startHub, TOKEN } from '../support/house.ts';
import { useRedis } from '../support/redis.ts';
import { type SeenSpan, startTraceCollector, type TraceCollector } from '../support/trace-collector.ts';
import { until } from '../support/until.ts';
import { SECRET, sendLabeled, webhookProject } from '../webhooks/senders.ts';

const redis = useRedis();
const POLLED = '\n    sync_policy: poll_only\n    polling: { enabled: true, interval_seconds: 1 }';
const HOURLY = '\n    polling: { enabled: true, interval_seconds: 3600 }';

interface Stage {
  readonly hub: GitHubEmulator;
  readonly collector: TraceCollector;
  /** A file for the command of the pipeline. */
  fileOf(name: string): string;
  config(project: string, command: string): Promise<Config>;
  isLabelled(label: string): boolean;
}

/** A GitHub with one ticket that nobody has labelled yet, and a collector. */
async function openStage(): Promise<Stage> {
  const [hub, collector] = [await startHub(), await startTraceCollector()];
  const dir = await mkdtemp(path.join(os.tmpdir(), 'agent-smith-traces-'));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  const { ticket } = hub.openIssue(REPOSITORY, { title: 'a title of the tests' });
  return {
    hub,
    collector,
    fileOf: (name) => path.join(dir, name),
    config: (project, command) =>
      load(
        `projects: ${webhookProject(hub, project)}
pipelines: { fix-bug: { command: [sh, -c, ${JSON.stringify(command)}] } }
agent: { queue: { shutdown_grace_seconds: 0 } }
telemetry: { endpoint: "${collector.endpoint}", service_name: smith-of-the-tests }`,
        { GITHUB_TOKEN: TOKEN, REDIS_URL: redis.url },
      ),
    isLabelled: (label) => hub.issue(ticket).labels.includes(label),
  };
}

/** A busy machine reads the clock of Redis late; units that are mixed up or a wrong origin are off by far more. */
const CLOCK_DOUBT_MS = 500;

const waitsFor = (file: string): string => `while [ ! -e ${file} ]; do sleep 0.02; done`;

/** All spans of the one run, once it has been told to its end. */
async function wholeTrace({ spans }: TraceCollector): Promise<readonly SeenSpan[]> {
  const root = await until('the whole way is told', () => spans.find(({ name }) => name === 'ticket'));
  expect([...new Set(spans.map(({ traceId }) => traceId))]).toEqual([traceIdOf(runOf(root))]);
  return spans;
}

const runOf = ({ attributes }: SeenSpan): string => String(attributes['cicd.pipeline.run.id']);

/** Names from the root down to each span, sorted. */
function tree(spans: readonly SeenSpan[]): string[] {
  const pathTo = ({ name, parentSpanId }: SeenSpan): string => {
    if (parentSpanId === undefined) return name;
    const parent = spans.find(({ spanId }) => spanId === parentSpanId);
    return `${parent === undefined ? 'NOBODY' : pathTo(parent)} > ${name}`;
  };
  return spans.map(pathTo).toSorted();
}

const allNamed = (spans: readonly SeenSpan[], name: string): SeenSpan[] => spans.filter((span) => span.name === name);

function named(spans: readonly SeenSpan[], name: string): SeenSpan {
  const [found, second] = allNamed(spans, name);
  if (found === undefined || second !== undefined) throw new Error(`not one span ${name}`);
  return found;
}

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
  const { hub, collector, fileOf, config, isLabelled } = await openStage();
  const { app, port } = await startApp(await config(HOURLY, waitsFor(fileOf('go'))));
  await until('the poll at the start is over', () => app.health().projects[0]?.last_poll);
  hub.addLabel(`${REPOSITORY}#1`, 'agent-smith');
  await sendLabeled({ port }, hub, 1);
  await until('it is at work', () => isLabelled('agent-smith:in-progress'));
  await writeFile(fileOf('go'), '');
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
  expect(spans.filter(({ isError }) => isError)).toEqual([]);

  const inOrder = ['delivery', 'claim', 'queue', 'attempt', 'comment'].map((name) => named(spans, name));
  for (const [i, span] of inOrder.entries()) {
    expect(span.endMs).toBeGreaterThanOrEqual(span.startMs);
    expect(span.startMs).toBeGreaterThanOrEqual((inOrder[i - 1]?.startMs ?? 0) - CLOCK_DOUBT_MS);
  }
  expect(root.startMs).toBe(named(spans, 'delivery').startMs);
  expect(root.endMs).toBeGreaterThanOrEqual(named(spans, 'comment').endMs);
  const moves = allNamed(spans, 'label').map(({ attributes }) => attributes['agentsmith.label.to']);
  expect(moves).toEqual(['enqueued', 'in-progress', 'done']);
  const sent = collector.bodies.join('');
  for (const word of ['a title of the tests', TOKEN, SECRET, 'http://']) expect(sent).not.toContain(word);
});

test('a run that fails: its trace begins with the poll that found it, and says what failed', async () => {
  const { hub, collector, config } = await openStage();
  hub.addLabel(`${REPOSITORY}#1`, 'agent-smith');
  await startApp(await config(POLLED, 'exit 3'));
  const spans = await wholeTrace(collector);

  const [root, poll] = [named(spans, 'ticket'), named(spans, 'poll')];
  expect(tree(spans)).toContain('ticket > poll');
  expect(root.startMs).toBe(poll.startMs);
  expect(poll.endMs).toBeGreaterThan(poll.startMs);
  expect(root.attributes).toMatchObject({ 'agentsmith.trigger': 'poll', 'cicd.pipeline.result': 'failure' });
  expect(named(spans, 'runner').attributes).toMatchObject({ 'process.exit.code': 3, 'error.type': 'exited' });
  const broken = spans.filter(({ isError }) => isError).map(({ name }) => name);
  expect(broken.toSorted()).toEqual(['attempt', 'runner', 'ticket']);
});

test('a replica that leaves and the one that goes on tell one trace, and each command can continue it', async () => {
  await markFresh(redis.url);
  const { hub, collector, fileOf, config, isLabelled } = await openStage();
  hub.addLabel(`${REPOSITORY}#1`, 'agent-smith');
  const command = `printf %s "$TRACEPARENT" >${fileOf('context-')}$AGENTSMITH_ATTEMPT; ${waitsFor(fileOf('go'))}`;
  const { app: first } = await startApp(await config(POLLED, command), { instance: 'pod-1' });
  await until('it is at work', () => existsSync(fileOf('context-1')) && isLabelled('agent-smith:in-progress'));
  await startApp(await config(POLLED, command), { instance: 'pod-2' });
  await first.stop();
  await until('the other has it', () => existsSync(fileOf('context-2')));
  await writeFile(fileOf('go'), '');
  const spans = await wholeTrace(collector);

  const attempts = allNamed(spans, 'attempt').map(({ attributes, resource }) => [
    attributes['agentsmith.attempt'],
    attributes['agentsmith.state'],
    attributes['agentsmith.worker'],
    resource['service.instance.id'],
  ]);
  expect(attempts).toEqual([
    [1, 'interrupted', 'pod-1', 'pod-1'],
    [2, 'completed', 'pod-2', 'pod-2'],
  ]);
  expect(tree(spans).filter((at) => at.includes('NOBODY'))).toEqual([]);
  const run = runOf(named(spans, 'ticket'));
  for (const number of [1, 2]) {
    const context = `00-${traceIdOf(run)}-${spanIdOf(run, `runner/${number}`)}-01`;
    expect(await readFile(fileOf(`context-${number}`), 'utf8')).toBe(context);
  }
  expect(allNamed(spans, 'runner').map(({ spanId }) => spanId)).toEqual(
    [1, 2].map((n) => spanIdOf(run, `runner/${n}`)),
  );
});

test('a collector that hangs costs spans, one warning and nothing else, and is sent spans again when it answers', async () => {
  const { hub, collector, config, isLabelled } = await openStage();
  collector.misbehave(() => {});
  hub.addLabel(`${REPOSITORY}#1`, 'agent-smith');
  const lines: Record<string, unknown>[] = [];
  const destination = new PassThrough();
  destination.on('data', (line: Buffer) => lines.push(JSON.parse(line.toString()) as Record<string, unknown>));
  const log = createLog({ level: 'debug', redactor: createRedactor(), destination });
  const { port } = await startApp(await config(POLLED, 'true'), { log });
  await until('it is done', () => isLabelled('agent-smith:done'));
  const lost = await until('its spans are lost', async () => {
    const page = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    return /agentsmith_trace_spans_total\{result="lost"\} (\d+)/.exec(page)?.[1];
  });
  expect(Number(lost)).toBeGreaterThan(0);
  collector.recover();
  hub.openIssue(REPOSITORY, { labels: ['agent-smith'] });
  await until('a whole way is told', () => collector.spans.some(({ name }) => name === 'ticket'));
  expect(lines.filter(({ level, msg }) => msg === 'spans of traces lost' && level === 40)).toHaveLength(1);
});
