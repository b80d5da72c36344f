/** Traces that are off cost nothing: what would collect them is not even loaded. */
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { load } from '../config/load-text.ts';
import { startApp } from '../support/app.ts';
import { REPOSITORY, startHub, TOKEN } from '../support/house.ts';
import { useRedis } from '../support/redis.ts';
import { startTraceCollector } from '../support/trace-collector.ts';
import { until } from '../support/until.ts';
import { webhookProject } from '../webhooks/senders.ts';

const redis = useRedis();
const loads = vi.hoisted(() => [] as string[]);
// The real one, noted down.
vi.mock(import('../../src/tracing/otlp-trace.ts'), async (original) => {
  loads.push('otlp-trace');
  return await original();
});

test('without an endpoint nothing of OpenTelemetry is loaded and no context is handed on; with one it is', async () => {
  const [hub, collector] = [await startHub(), await startTraceCollector()];
  const dir = await mkdtemp(path.join(os.tmpdir(), 'agent-smith-off-'));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  const command = ['sh', '-c', `printf %s "$TRACEPARENT" >${dir}/context`];
  const configOf = (telemetry: string) =>
    load(
      `projects: ${webhookProject(hub, '\n    polling: { enabled: true, interval_seconds: 1 }')}
pipelines: { fix-bug: { command: ${JSON.stringify(command)} } }
${telemetry}`,
      { GITHUB_TOKEN: TOKEN, REDIS_URL: redis.url },
    );
  const { ticket } = hub.openIssue(REPOSITORY, { labels: ['agent-smith'] });
  const { app, port } = await startApp(await configOf('telemetry: { service_name: smith }'));
  await until('it is done', () => hub.issue(ticket).labels.includes('agent-smith:done'));
  expect(existsSync(`${dir}/context`)).toBe(true);
  expect(await readFile(`${dir}/context`, 'utf8')).toBe('');
  const page = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  expect(page).not.toMatch(/agentsmith_trace_spans_total\{/);
  await app.stop();
  expect(loads).toEqual([]);

  await startApp(await configOf(`telemetry: { endpoint: "${collector.endpoint}" }`));
  expect(loads).toEqual(['otlp-trace']);
});
