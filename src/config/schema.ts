/**
 * The shape of `agentsmith.yml`: strict, with the defaults and the words that the JSON Schema shows. What depends on
 * several places at once is in `cross-checks.ts`; the `tickets:` section of each platform comes from its descriptor.
 */
import { z } from 'zod';
import { isOurs } from '../domain/lifecycle.ts';
import { PLATFORMS } from '../platforms/registry.ts';

const NAME_RULE = 'must be 1-63 letters, digits, ".", "_" or "-", beginning with a letter or digit';
const name = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/, NAME_RULE);
const text = z.string().min(1);
const variableName = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'must be the name of an environment variable');

/** A `${VAR}` always yields text: digits in it count as a number, `true` and `false` as a boolean. */
const number = (schema: z.ZodNumber) =>
  z.preprocess((value) => (typeof value === 'string' && /^\d+(\.\d+)?$/.test(value) ? Number(value) : value), schema);
const boolean = z.preprocess((value) => {
  if (value === 'true') return true;
  return value === 'false' ? false : value;
}, z.boolean());

const A_DAY_SECONDS = 86_400;
const seconds = (least: number) => number(z.number().min(least).max(A_DAY_SECONDS));
const parallelJobs = number(z.int().min(1).max(1000));

/** Secrets of the house that no pipeline may see. Variables that the file itself uses as webhook secrets join them. */
export const HOUSE_SECRETS: readonly string[] = [
  'REDIS_URL',
  'AGENTSMITH_API_TOKEN',
  ...PLATFORMS.map((platform) => platform.environment.webhookSecret),
];

const labelMap = z.record(
  z
    .string()
    .min(1, 'must not be empty')
    .refine((label) => !isOurs(label), 'must not begin with agent-smith: (those labels show the lifecycle)'),
  name,
);
/** For files that are written by tools which sort keys: a list keeps its order. */
const labelList = z
  .array(
    labelMap
      .refine((item) => Object.keys(item).length === 1, 'must be one label and its pipeline')
      .meta({ minProperties: 1, maxProperties: 1 }),
  )
  .transform((items) => Object.fromEntries(items.flatMap((item) => Object.entries(item))));

const triggerSchema = z.strictObject({
  default_pipeline: name
    .describe('Pipeline of a ticket that carries agent-smith:pending and no trigger label.')
    .optional(),
  pipeline_from_label: z
    .union([labelMap, labelList])
    .describe(
      'Trigger label -> pipeline, as a mapping or as a list with one label each. The first that the ticket carries wins, letter case ignored.',
    )
    .optional(),
  allowed_actors: z
    .array(text)
    .min(1)
    .describe(
      'Accounts that may set the trigger label, named as in the profile of the platform. Default: anyone who can write labels.',
    )
    .optional(),
});

const queueSchema = z.strictObject({
  max_parallel_jobs: parallelJobs.describe('Jobs that one replica runs at the same time. Default 4.').optional(),
  consume_block_seconds: seconds(1)
    .describe('How long an idle worker waits for a job in one go. Default 5.')
    .optional(),
  shutdown_grace_seconds: seconds(0).describe('How long running jobs may go on after SIGTERM. Default 30.').optional(),
});

const agentSchema = z.strictObject({ queue: queueSchema.optional() });

const syncPolicy = z.enum(['poll_only', 'webhook_only', 'both']);

const pollingSchema = z.strictObject({
  enabled: boolean.default(false),
  interval_seconds: seconds(1).default(60),
  jitter_percent: number(z.number().min(0).max(50)).default(10),
});

export const POLLING_DEFAULTS = pollingSchema.parse({});

const projectFields = z.strictObject({
  source: z
    .strictObject({ type: text, url: text })
    .describe('Where the code is; handed to the pipeline. Default: type and url of tickets.')
    .optional(),
  // Checked against the schema of the platform that its `type` names, see check-schema.ts.
  tickets: z.looseObject({ type: z.string() }).meta({ id: 'tickets' }).optional(),
  pipeline: name.describe('Used where the trigger section names no default_pipeline. Default fix-bug.').optional(),
  polling: pollingSchema
    .describe('Ask the platform for tickets at intervals. event_engine auto goes by them also where enabled is false.')
    .optional(),
  webhook: z
    .strictObject({
      secret: z.string().describe('Write it as ${VARIABLE}.').optional(),
      secrets: z.array(z.string()).min(1).max(4).describe('While a secret is changed: [new, old].').optional(),
      allow_unsigned: boolean.describe('Take deliveries without a signature. For closed networks only.').default(false),
    })
    .describe("Default: the secret in the platform's environment variable.")
    .optional(),
  sync_policy: syncPolicy
    .describe(
      'Narrows how tickets of this project come in. poll_only: no webhooks. webhook_only: no listings but one after Redis lost its data, so what a webhook loses comes back only where the platform sends it again.',
    )
    .optional(),
  max_parallel_jobs: parallelJobs.describe('Cap of this project across all replicas.').optional(),
  agent: agentSchema.describe('Merged over the top-level agent section.').optional(),
});

export type TriggerConfig = z.output<typeof triggerSchema>;

// One section per platform. TypeScript does not see their names, which the registry owns: `triggerOf` reads them.
const projectSchema = projectFields.extend(
  Object.fromEntries(
    PLATFORMS.map((platform) => [
      platform.triggerKey,
      triggerSchema.describe(`Which labels on ${platform.type} start which pipeline.`).optional(),
    ]),
  ),
) as unknown as typeof projectFields;

const quantities = z.record(text, text).optional();
const userId = number(
  z
    .int()
    .min(0)
    .max(2 ** 31 - 1),
);
const kubernetesLabels = z.record(
  text.refine((key) => !key.startsWith('agent-smith/'), 'must not begin with agent-smith/ (those are ours)'),
  z.string(),
);
const A_WEEK_SECONDS = 7 * A_DAY_SECONDS;

const jobSchema = z.strictObject({
  image: text,
  namespace: text.describe("Default: the server's own namespace, or that of its kubeconfig.").optional(),
  service_account: text.describe('Default: the pod gets no token of the cluster.').optional(),
  command: z.array(text).min(1).describe('Default: that of the image.').optional(),
  args: z.array(z.string()).optional(),
  env_from_secret: z.array(text).describe('Names of Kubernetes secrets: each of their keys is a variable.').optional(),
  env_from_secret_key: z
    .record(
      variableName.refine((v) => !v.startsWith('AGENTSMITH_'), 'must not begin with AGENTSMITH_'),
      z.strictObject({ secret: text, key: text }),
    )
    .describe('Variable -> one key of a Kubernetes secret.')
    .optional(),
  resources: z.strictObject({ requests: quantities, limits: quantities }).optional(),
  node_selector: z.record(text, z.string()).optional(),
  tolerations: z
    .array(
      z.strictObject({
        key: text.optional(),
        operator: z.enum(['Equal', 'Exists']).optional(),
        value: z.string().optional(),
        effect: z.enum(['NoSchedule', 'PreferNoSchedule', 'NoExecute']).optional(),
        toleration_seconds: number(z.int().min(0)).optional(),
      }),
    )
    .optional(),
  labels: kubernetesLabels.describe('Added to the Job and its pod.').optional(),
  annotations: kubernetesLabels.describe('Added to the Job and its pod.').optional(),
  image_pull_policy: z.enum(['Always', 'IfNotPresent', 'Never']).optional(),
  image_pull_secrets: z.array(text).optional(),
  run_as_user: userId.optional(),
  run_as_group: userId.optional(),
  run_as_non_root: boolean
    .describe(
      'Refuse to run as root, and drop all capabilities: for namespaces with the restricted pod security standard.',
    )
    .default(false),
  ttl_seconds_after_finished: number(z.int().min(600).max(A_WEEK_SECONDS))
    .describe('How long a finished Job stays. Its result is taken from it, so longer than the servers may be down.')
    .default(A_DAY_SECONDS),
});

export const pipelineSchema = z
  .strictObject({
    command: z
      .array(text)
      .min(1)
      .describe('Program and arguments, no shell; a path is relative to this file.')
      .optional(),
    kubernetes_job: jobSchema.describe('Run as a Kubernetes Job.').optional(),
    http: z
      .strictObject({
        url: text.describe('https://... Redirects are not followed, proxies are not used.'),
        headers: z
          .record(text, z.string())
          .describe('Sent along, for example Authorization; values may hold ${VARIABLE}.')
          .optional(),
        secret: z
          .string()
          .describe(
            'Signs each request by Standard Webhooks: whsec_ and 24 to 64 bytes in base64. Write it as ${VARIABLE}.',
          )
          .optional(),
        secrets: z.array(z.string()).min(1).max(4).describe('While a secret is changed: [new, old].').optional(),
        result: z
          .enum(['answer', 'callback'])
          .describe('Where the service tells what came of the run: in its answer, or later by a call of ours.')
          .default('answer'),
        callback_url: text
          .describe('How the service reaches us; /callback/RUN/ATTEMPT is added. Default: webhooks.public_url.')
          .optional(),
        allow_addresses: z
          .array(text)
          .describe(
            'Addresses and ranges, such as 10.20.0.0/16, that the service may have beside those of the public internet.',
          )
          .optional(),
      })
      .describe('POST the run to a service.')
      .optional(),
    env: z.record(variableName, z.string()).describe('Environment of the run; values may hold ${VARIABLE}.').optional(),
    pass_env: z
      .array(variableName.refine((v) => !HOUSE_SECRETS.includes(v), 'must not be handed to a pipeline'))
      .describe('Variables of the server that are handed through.')
      .optional(),
    cwd: text
      .describe('Default: a fresh temporary folder per attempt. In the container for a kubernetes_job.')
      .optional(),
    timeout_seconds: number(z.number().min(1).max(A_WEEK_SECONDS)).default(1800),
    max_attempts: number(z.int().min(1).max(100)).default(3),
    max_parallel_jobs: parallelJobs.describe('Cap of this pipeline across all replicas and projects.').optional(),
  })
  .meta({ oneOf: [{ required: ['command'] }, { required: ['kubernetes_job'] }, { required: ['http'] }] });

export const fileSchema = z.strictObject({
  projects: z.record(name, projectSchema),
  pipelines: z
    .record(name, pipelineSchema)
    .describe('A pipeline that is not here runs pipelines/NAME or pipelines/NAME.sh beside this file.')
    .default({}),
  agent: agentSchema.optional(),
  queue: queueSchema.describe('Old place of agent.queue.').meta({ deprecated: true }).optional(),
  runs: z
    .strictObject({ max_per_ticket_per_day: number(z.int().min(1).max(1000)).default(5) })
    .describe('A ticket that started this many runs within 24 hours is not claimed again.')
    .optional(),
  redis: z
    .strictObject({
      namespace: z
        .string()
        .regex(/^[a-z0-9][a-z0-9-]{0,31}$/, 'must be 1-32 lower-case letters, digits or "-"')
        .describe('First word of all keys; separates deployments on one Redis.')
        .default('agentsmith'),
      durability: z
        .enum(['local', 'replicated'])
        .describe('replicated: claims, starts, ends and deliveries wait for one replica.')
        .default('local'),
    })
    .optional(),
  event_engine: z
    .enum(['polling', 'streaming', 'auto'])
    .describe(
      'What wakes the ingress. polling: no webhooks. streaming: webhooks, and a listing at start and every reconcile_interval_seconds. auto: streaming while it works, else polling. Default: what each project has set up, polling.enabled and a webhook secret.',
    )
    .optional(),
  telemetry: z
    .strictObject({
      endpoint: text
        .regex(/^https?:\/\/[^\s?#]+$/, 'must be a URL such as http://otel-collector:4318')
        .describe('A collector that takes OTLP by HTTP; /v1/traces is added. Default: OTEL_EXPORTER_OTLP_ENDPOINT.')
        .optional(),
      headers: z
        .record(text, z.string())
        .describe('Sent along, for example Authorization; values may hold ${VARIABLE}.')
        .optional(),
      service_name: text.describe('Default: OTEL_SERVICE_NAME, else agent-smith.').optional(),
      sample_ratio: number(z.number().min(0).max(1))
        .describe('Which part of the traces is sent. Default: OTEL_TRACES_SAMPLER, else 1.')
        .optional(),
    })
    .describe('Traces of runs, off unless there is an endpoint. Read when a server starts.')
    .optional(),
  reconcile_interval_seconds: seconds(1).describe('How often projects are listed while streaming.').default(600),
  default_sync_policy: syncPolicy
    .describe('For projects without a sync_policy: poll_only, webhook_only or both. Default both.')
    .optional(),
  webhooks: z
    .strictObject({
      listen_host: text.default('127.0.0.1'),
      listen_port: number(z.int().min(1).max(65_535)),
      webhook_path: z
        .string()
        .regex(/^\/[\w./-]*$/, 'must be a path such as /webhook')
        .default('/webhook'),
      secret_env: variableName.describe('Variable with the secret of projects that have none of their own.').optional(),
      public_url: text.describe('How platforms reach this listener: the address of your proxy or tunnel.').optional(),
    })
    .describe('A second listener for webhooks alone; without it they come to the port of the server.')
    .optional(),
});

export type ConfigFile = z.output<typeof fileSchema>;
export type ProjectConfig = ConfigFile['projects'][string];
export type PipelineConfig = ConfigFile['pipelines'][string];
export type HttpConfig = NonNullable<PipelineConfig['http']>;
export type QueueConfig = z.output<typeof queueSchema>;
export type SyncPolicy = z.output<typeof syncPolicy>;
export type EventEngine = NonNullable<ConfigFile['event_engine']>;

/** The trigger section of a project for one platform. */
export function triggerOf(project: ProjectConfig, triggerKey: string): TriggerConfig | undefined {
  return (project as Readonly<Record<string, unknown>>)[triggerKey] as TriggerConfig | undefined;
}
