/** Kinds that a cluster has where KEDA and the Prometheus operator are installed: as their CRDs say, and strict. */
import { z } from 'zod';

const metadata = z.strictObject({
  name: z.string(),
  namespace: z.string().optional(),
  labels: z.record(z.string(), z.string()).optional(),
  annotations: z.record(z.string(), z.string()).optional(),
});
const int32 = z.int32();
const requirement = z.strictObject({
  key: z.string(),
  operator: z.enum(['In', 'NotIn', 'Exists', 'DoesNotExist']),
  values: z.array(z.string()).optional(),
});
const duration = z
  .string()
  .regex(/^(0|(([0-9]+)y)?(([0-9]+)w)?(([0-9]+)d)?(([0-9]+)h)?(([0-9]+)m)?(([0-9]+)s)?(([0-9]+)ms)?)$/);

/** keda.sh/v1alpha1, the fields of its CRD that concern a Deployment. */
const scaledObject = z.strictObject({
  apiVersion: z.literal('keda.sh/v1alpha1'),
  kind: z.literal('ScaledObject'),
  metadata,
  spec: z.strictObject({
    scaleTargetRef: z.strictObject({
      apiVersion: z.string().optional(),
      kind: z.string().optional(),
      name: z.string(),
      envSourceContainerName: z.string().optional(),
    }),
    pollingInterval: int32.optional(),
    cooldownPeriod: int32.optional(),
    initialCooldownPeriod: int32.optional(),
    idleReplicaCount: int32.optional(),
    minReplicaCount: int32.optional(),
    maxReplicaCount: int32.optional(),
    fallback: z.strictObject({ failureThreshold: int32, replicas: int32, behavior: z.string().optional() }).optional(),
    advanced: z.looseObject({}).optional(),
    triggers: z.array(
      z.strictObject({
        type: z.string(),
        name: z.string().optional(),
        useCachedMetrics: z.boolean().optional(),
        metricType: z.enum(['AverageValue', 'Value', 'Utilization']).optional(),
        authenticationRef: z.strictObject({ name: z.string(), kind: z.string().optional() }).optional(),
        // All of it is text, numbers too.
        metadata: z.record(z.string(), z.string()),
      }),
    ),
  }),
});

/** monitoring.coreos.com/v1, without the parts about TLS and credentials, which a page without a secret does not need. */
const serviceMonitor = z.strictObject({
  apiVersion: z.literal('monitoring.coreos.com/v1'),
  kind: z.literal('ServiceMonitor'),
  metadata,
  spec: z.strictObject({
    jobLabel: z.string().optional(),
    targetLabels: z.array(z.string()).optional(),
    podTargetLabels: z.array(z.string()).optional(),
    selector: z.strictObject({
      matchLabels: z.record(z.string(), z.string()).optional(),
      matchExpressions: z.array(requirement).optional(),
    }),
    namespaceSelector: z
      .strictObject({ any: z.boolean().optional(), matchNames: z.array(z.string()).optional() })
      .optional(),
    sampleLimit: z.int().optional(),
    targetLimit: z.int().optional(),
    endpoints: z.array(
      z.strictObject({
        port: z.string().optional(),
        targetPort: z.union([z.int(), z.string()]).optional(),
        path: z.string().optional(),
        scheme: z.enum(['http', 'https']).optional(),
        params: z.record(z.string(), z.array(z.string())).optional(),
        interval: duration.optional(),
        scrapeTimeout: duration.optional(),
        honorLabels: z.boolean().optional(),
        honorTimestamps: z.boolean().optional(),
        relabelings: z.array(z.looseObject({})).optional(),
        metricRelabelings: z.array(z.looseObject({})).optional(),
      }),
    ),
  }),
});

/** monitoring.coreos.com/v1, rules that alert. */
const prometheusRule = z.strictObject({
  apiVersion: z.literal('monitoring.coreos.com/v1'),
  kind: z.literal('PrometheusRule'),
  metadata,
  spec: z.strictObject({
    groups: z.array(
      z.strictObject({
        name: z.string().min(1),
        interval: duration.optional(),
        rules: z.array(
          z.strictObject({
            alert: z.string().min(1),
            expr: z.union([z.int(), z.string()]),
            for: duration.optional(),
            keep_firing_for: duration.optional(),
            labels: z.record(z.string(), z.string()).optional(),
            annotations: z.record(z.string(), z.string()).optional(),
          }),
        ),
      }),
    ),
  }),
});

export type PrometheusRule = z.infer<typeof prometheusRule>;
export type ScaledObject = z.infer<typeof scaledObject>;
export type ServiceMonitor = z.infer<typeof serviceMonitor>;

/** By `apiVersion kind`. */
export const CUSTOM_KINDS: Readonly<Record<string, z.ZodType>> = {
  'keda.sh/v1alpha1 ScaledObject': scaledObject,
  'monitoring.coreos.com/v1 PrometheusRule': prometheusRule,
  'monitoring.coreos.com/v1 ServiceMonitor': serviceMonitor,
};
