/**
 * The JSON Schema of the chart's values. What stands under `config` is checked by the very schema of agentsmith.yml, so that
 * a mistake there is found by `helm template`, before anything is installed.
 */
import { z } from 'zod';
import { configJsonSchema } from '../src/config/json-schema.ts';

type Schema = z.core.JSONSchema.BaseSchema;

const text = z.string();
const name = z.string().min(1);
const count = z.int().min(0);
const texts = z.record(z.string(), z.string());
/** Parts of manifests that the chart hands on as they are: the cluster checks them. */
const part = z.record(z.string(), z.unknown());
const parts = z.array(part);
const variable = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/);
const quantity = z.union([z.string(), z.number()]);
const port = z.int().min(1).max(65_535);
const percentOrCount = z.union([count, z.string().regex(/^\d{1,3}%$/)]);
const resources = z.strictObject({
  requests: z.record(z.string(), quantity).optional(),
  limits: z.record(z.string(), quantity).optional(),
});
const destination = z.strictObject({ to: parts, ports: z.array(port) });

const valuesSchema = z.strictObject({
  image: z.strictObject({
    repository: name,
    tag: text,
    digest: z.string().regex(/^(sha256:[0-9a-f]{64})?$/),
    pullPolicy: z.enum(['Always', 'IfNotPresent', 'Never']),
  }),
  imagePullSecrets: z.array(name),
  replicas: count,
  scripts: z.record(z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/), z.string()),
  existingSecret: text,
  secretEnv: z.record(variable, z.strictObject({ secret: name, key: name })),
  secretFiles: z.record(z.string().regex(/^[a-z0-9]([a-z0-9-]{0,50}[a-z0-9])?$/), name),
  env: z.record(variable, z.union([z.string(), z.number(), z.boolean()])),
  logLevel: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']),
  proxy: z.strictObject({ url: z.string().regex(/^(https?:\/\/[^/\s]+\/?)?$/), exceptions: z.array(name) }),
  ca: z.strictObject({ configMap: text, secret: text, key: name }),
  service: z.strictObject({ annotations: texts }),
  ingress: z.strictObject({
    enabled: z.boolean(),
    className: text,
    host: text,
    tlsSecret: text,
    annotations: texts,
  }),
  networkPolicy: z.strictObject({
    enabled: z.boolean(),
    metricsFrom: parts,
    probesFrom: z.array(z.string().regex(/^[0-9a-fA-F.:]+\/\d{1,3}$/)),
    webhooksFrom: parts,
    redis: destination,
    trackers: destination,
    kubernetesApi: destination,
    extraEgress: parts,
    extraIngress: parts,
  }),
  podDisruptionBudget: z.strictObject({ enabled: z.boolean(), maxUnavailable: percentOrCount }),
  autoscaling: z.strictObject({
    enabled: z.boolean(),
    minReplicas: z.int().min(1),
    maxReplicas: z.int().min(1),
    targetCPUUtilizationPercentage: z.int().min(1),
    metrics: parts,
  }),
  keda: z.strictObject({
    enabled: z.boolean(),
    minReplicas: count,
    maxReplicas: z.int().min(1),
    prometheus: text,
    query: text,
    runsPerReplica: count,
    pollingInterval: z.int().min(1),
    cooldownPeriod: count,
    authentication: text,
  }),
  serviceMonitor: z.strictObject({
    enabled: z.boolean(),
    interval: z.string().regex(/^(\d+(ms|[smh]))+$/),
    labels: texts,
  }),
  prometheusRule: z.strictObject({
    enabled: z.boolean(),
    labels: texts,
    runbookBase: z.string().regex(/^(https?:\/\/\S+\/)?$/),
  }),
  dashboard: z.strictObject({ enabled: z.boolean(), labels: texts, annotations: texts }),
  serviceAccount: z.strictObject({ create: z.boolean(), name: text, annotations: texts }),
  trialRedis: z.strictObject({
    enabled: z.boolean(),
    image: name,
    maxMemory: z.string().regex(/^\d+([kKmMgG][bB]?)?$/),
    resources,
    persistence: z.strictObject({ enabled: z.boolean(), size: quantity, storageClass: text }),
  }),
  resources,
  tmp: z.strictObject({ sizeLimit: quantity }),
  terminationGracePeriodSeconds: count.optional(),
  podSecurityContext: part,
  securityContext: part,
  listenHost: name,
  podAnnotations: texts,
  podLabels: texts,
  nodeSelector: texts,
  tolerations: parts,
  affinity: part,
  topologySpreadConstraints: parts,
  priorityClassName: text,
  extraVolumes: parts,
  extraVolumeMounts: parts,
  nameOverride: text,
  fullnameOverride: text,
  /** Helm puts it there for the charts of a larger one. */
  global: part.optional(),
});

/** In draft 7, the newest one that every Helm 3 reads. References lead to the root, so the config's definitions move there. */
export function chartValuesSchema(): Schema {
  const values = z.toJSONSchema(valuesSchema, { io: 'input', target: 'draft-7' });
  const { $schema: _same, definitions, ...config } = configJsonSchema('draft-7');
  return {
    ...values,
    title: 'Values of the chart agentsmith',
    properties: { ...values.properties, config: { $ref: '#/definitions/config' } },
    required: [...(values.required ?? []), 'config'],
    definitions: { ...(definitions as Readonly<Record<string, Schema>>), config },
  };
}
