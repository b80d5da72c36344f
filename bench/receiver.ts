/**
 * The webhook route of a replica as a process of its own: everything between the socket and Redis, with logs and metrics
 * as in production, and nobody who works on the inbox. Arguments: URL of Redis, namespace, secret, trigger label.
 */
import { createPlaceIds } from '../src/coordination/place-ids.ts';
import type { Project } from '../src/domain/project.ts';
import { DEFAULT_TIMING } from '../src/domain/timing.ts';
import { createFindings } from '../src/foundation/findings.ts';
import { createLog } from '../src/foundation/log.ts';
import { createRedactor } from '../src/foundation/redactor.ts';
import { createDeliveryReceiver } from '../src/ingress/deliveries/delivery-receiver.ts';
import { github } from '../src/platforms/github/index.ts';
import { createDeliveryRecords } from '../src/runs/delivery-records.ts';
import { createRunReader } from '../src/runs/run-reader.ts';
import { createMetrics } from '../src/server/metrics.ts';
import { createServer } from '../src/server/server.ts';
import { webhookRoutes } from '../src/server/webhook-routes.ts';
import { answerCpuTime } from './cpu-time.ts';
import { PLACE } from './deliveries.ts';
import { connect } from './redis.ts';

const [redisUrl = '', namespace = '', secret = '', triggerLabel = ''] = process.argv.slice(2);
const redis = await connect(redisUrl, namespace);
const log = createLog({ level: 'info', redactor: createRedactor([secret, 'a-token-of-the-tracker']) });
const metrics = createMetrics(() => Promise.reject(new Error('nobody asks')));

const project: Project = {
  name: 'bench',
  source: { platform: github.slug, ...PLACE, apiUrl: `https://api.${PLACE.host}` },
  code: { type: 'git', url: `https://${PLACE.host}/${PLACE.container}` },
  routing: { pipelineFromLabel: new Map([[triggerLabel, 'fix-bug']]) },
  triggers: new Set(['webhook']),
};
const doors = [{ project, dialect: github.webhook, secrets: [secret], allowUnsigned: false }];
const receiver = createDeliveryReceiver(
  {
    doors: () => doors,
    configHash: () => 'bench',
    records: createDeliveryRecords(redis, DEFAULT_TIMING),
    placeIds: createPlaceIds(redis, log),
    runs: createRunReader(redis),
    onAccepted: () => {},
    onReception: metrics.delivery,
    findings: createFindings(),
    log,
  },
  DEFAULT_TIMING,
);
const server = createServer({
  health: () => {
    throw new Error('nobody asks');
  },
  metrics,
  log,
  mounts: [webhookRoutes({ receiver: () => receiver, log }, { path: '/webhook' })],
});
const port = await server.listen({ host: '127.0.0.1', port: 0 });
answerCpuTime(port, async () => {
  await server.close();
  await redis.close();
});
