/** The metrics of the house, as its own page of /metrics shows them: each with its type and the labels that it has. */
import { createMetrics, type Gauges } from '../../src/server/metrics.ts';
import { readScrape } from './promql/scrape.ts';

export interface RealMetric {
  readonly type: 'counter' | 'gauge' | 'histogram' | 'summary';
  readonly labels: ReadonlySet<string>;
}

const GAUGES: Gauges = {
  runs: { queued: 1 },
  queueDepth: 1,
  inboxDepth: 1,
  activeRuns: 1,
  slots: 1,
  unconfirmedLabels: 1,
  findings: { recovering: 1 },
  budgets: [
    {
      credential: 'github~github.com~abc',
      platform: 'github',
      limit: 1,
      remaining: 1,
      resets_in_seconds: 1,
      held_for_seconds: 1,
      stretch: 1,
    },
  ],
  pollIntervals: { api: 1 },
  lastPolls: [{ project: 'api', result: 'ok', atMs: 1 }],
  backlogs: [{ project: 'api', waiting: 1, admitted: 1 }],
  leaderEpoch: { poller: 1 },
  ready: true,
};

/** By name. Each thing that can be counted is counted once, so that no metric hides its labels. */
export async function realMetrics(): Promise<ReadonlyMap<string, RealMetric>> {
  const metrics = createMetrics(async () => GAUGES);
  const platform = 'github';
  metrics.claim({ platform, outcome: 'claimed', trigger: 'poll' });
  metrics.poll({ platform, result: 'ok', durationMs: 1 });
  metrics.platformRequest({ platform, purpose: 'claim', status: '200', durationMs: 1 });
  metrics.runEnded({ project: 'api', pipeline: 'fix-bug', state: 'completed', durationMs: 1 });
  metrics.labelConfirmed({ state: 'completed', lagMs: 1 });
  metrics.repair({ kind: 'dead-attempt' });
  metrics.delivery({ platform, result: 'accepted' });
  metrics.callback({ result: 'kept' });
  metrics.traceSpans({ result: 'sent', spans: 1 });
  metrics.inboxSettled({ platform, outcome: 'processed', deliveries: 1 });
  metrics.deliveryStarted({ platform, latencyMs: 1 });
  metrics.missedRecovered({ platform, by: 'listing', count: 1 });
  metrics.replicaWait({ result: 'confirmed' });
  metrics.syncSkipped({ trigger: 'webhook' });
  const { text } = await metrics.page();
  const { samples } = readScrape(text, 0);
  const found = [...text.matchAll(/^# TYPE (\w+) (\w+)$/gm)].map(([, name = '', type = '']): [string, RealMetric] => {
    const ofMetric = samples.filter(({ labels }) => metricOf(labels['__name__'] ?? '', type) === name);
    const labels = new Set(ofMetric.flatMap((sample) => Object.keys(sample.labels)));
    labels.delete('__name__');
    return [name, { type: type as RealMetric['type'], labels }];
  });
  return new Map(found);
}

/** The metric that a series belongs to: a histogram has three kinds of them. */
export function metricOf(series: string, type: string): string {
  return type === 'histogram' ? series.replace(/_(bucket|sum|count)$/, '') : series;
}
