/** From a valid file to the projects of the catalog, with what is worth saying about each. */
import type { Polling, Project, Routing } from '../domain/project.ts';
import type { TicketSource } from '../domain/ticket.ts';
import type { PlatformDescriptor, TicketsConfig } from '../platforms/descriptor.ts';
import type { Tickets } from './check-schema.ts';
import type { Connection } from './config.ts';
import { credentialName, resolveCredential } from './credentials.ts';
import type { Facts } from './cross-checks.ts';
import { watchesWholeSite } from './cross-checks.ts';
import type { Environment } from './expand.ts';
import { type ConfigFinding, info, warning } from './findings.ts';
import { decideIngress, type Ingress } from './ingress-policy.ts';
import type { Problem } from './problems.ts';
import { type ConfigFile, POLLING_DEFAULTS, type ProjectConfig, triggerOf } from './schema.ts';
import type { ProjectSecrets } from './secrets.ts';
import { triggerLabels } from './trigger-labels.ts';

export interface BuiltProject {
  readonly project: Project;
  readonly connection: Connection;
  readonly ingress: Ingress;
  readonly secrets: ProjectSecrets;
  readonly findings: readonly ConfigFinding[];
}

const RECONCILE_JITTER_PERCENT = 10;

export function buildProject(
  name: string,
  section: ProjectConfig,
  { descriptor, tickets }: Tickets,
  source: TicketSource,
  context: { readonly facts: Facts; readonly env: Environment; readonly directory: string },
): BuiltProject {
  const { facts, env, directory } = context;
  const credential = resolveCredential(descriptor, tickets, env, directory);
  const webhookSecrets = secretsOf(section, facts.file, env, descriptor.environment.webhookSecret);
  const ingress = ingressOf(section, facts.file, webhookSecrets);
  const labels = triggerLabels(facts.document, ['projects', name, descriptor.triggerKey]).map(({ label }) => label);
  const routing = routingOf(section, descriptor.triggerKey, labels);
  const disabled = credential.ok ? undefined : `credential missing: ${credential.reason}`;
  const project: Project = {
    name,
    source,
    code: section.source ?? { type: descriptor.type, url: tickets.url ?? source.apiUrl },
    routing,
    triggers: ingress.triggers,
    ...(ingress.polling === undefined ? {} : { polling: ingress.polling }),
    ...(ingress.engine === undefined ? {} : { engine: ingress.engine }),
    ...(section.max_parallel_jobs === undefined ? {} : { maxParallelJobs: section.max_parallel_jobs }),
    ...(disabled === undefined ? {} : { disabled }),
  };
  const connection: Connection = {
    project: name,
    descriptor,
    source,
    tickets: withoutAuth(tickets),
    ...(credential.ok ? { credentialName: credentialName(source.platform, source.host, credential.credential) } : {}),
  };
  return {
    project,
    connection,
    ingress,
    secrets: { credential, webhookSecrets, allowUnsigned: section.webhook?.allow_unsigned === true },
    findings: [...findingsOf(project, ingress, disabled, section), ...secretFindings(name, descriptor, webhookSecrets)],
  };
}

/** Every secret that may apply is tried on a delivery to the bare route of a platform. */
const MOST_SECRETS_PER_ROUTE = 16;

/** A platform whose projects have more different webhook secrets than a delivery may be tried against. */
export function crowdedRoutes(built: readonly BuiltProject[]): Problem[] {
  const secrets = new Map<string, Set<string>>();
  const problems: Problem[] = [];
  for (const { project, connection, secrets: own } of built) {
    const { slug } = connection.descriptor;
    const known = secrets.get(slug) ?? new Set();
    const before = known.size;
    secrets.set(slug, known);
    for (const secret of own.webhookSecrets) known.add(secret);
    if (before <= MOST_SECRETS_PER_ROUTE && known.size > MOST_SECRETS_PER_ROUTE) {
      const message = `is one webhook secret too many for ${slug}: at most ${MOST_SECRETS_PER_ROUTE} different ones`;
      problems.push({ path: ['projects', project.name, 'webhook'], message });
    }
  }
  return problems;
}

/** The map is filled in the order of the file, which plain objects do not keep. */
function routingOf(section: ProjectConfig, triggerKey: string, labels: readonly string[]): Routing {
  const trigger = triggerOf(section, triggerKey);
  const pipelineFromLabel = new Map<string, string>();
  for (const label of labels) {
    const pipeline = trigger?.pipeline_from_label?.[label];
    if (pipeline !== undefined) pipelineFromLabel.set(label, pipeline);
  }
  return {
    pipelineFromLabel,
    ...(trigger?.default_pipeline === undefined ? {} : { defaultPipeline: trigger.default_pipeline }),
    ...(section.pipeline === undefined ? {} : { pipeline: section.pipeline }),
    ...(trigger?.allowed_actors === undefined ? {} : { allowedActors: trigger.allowed_actors }),
  };
}

/** The project's own secrets, else the one of `webhooks.secret_env`, else the platform's variable. */
function secretsOf(section: ProjectConfig, file: ConfigFile, env: Environment, platformVariable: string): string[] {
  const own =
    section.webhook?.secrets ?? (section.webhook?.secret === undefined ? undefined : [section.webhook.secret]);
  const secrets = own ?? [env[file.webhooks?.secret_env ?? platformVariable] ?? ''];
  return [...new Set(secrets)].filter((secret) => secret !== '');
}

/** `openssl rand -hex 32` makes 64. */
const SHORTEST_SECRET = 16;

/** What is wrong with the webhook secrets of a project, each problem once and without the secret. */
function secretFindings(name: string, { webhook }: PlatformDescriptor, secrets: readonly string[]): ConfigFinding[] {
  const problems = secrets.map((secret) => {
    const problem = webhook.secretProblem?.(secret);
    if (problem !== undefined) return `${problem}: no delivery can prove it`;
    return secret.length < SHORTEST_SECRET
      ? `has less than ${SHORTEST_SECRET} characters: it may be guessed`
      : undefined;
  });
  return [...new Set(problems)]
    .filter((problem) => problem !== undefined)
    .map((problem) => warning('webhook-secret', `a webhook secret of ${name} ${problem}`, name));
}

function ingressOf(section: ProjectConfig, file: ConfigFile, webhookSecrets: readonly string[]): Ingress {
  return decideIngress({
    engine: file.event_engine ?? 'default',
    policy: section.sync_policy ?? file.default_sync_policy ?? 'both',
    webhookReady: webhookSecrets.length > 0 || section.webhook?.allow_unsigned === true,
    reconcile: { intervalMs: file.reconcile_interval_seconds * 1000, jitterPercent: RECONCILE_JITTER_PERCENT },
    pollingEnabled: section.polling?.enabled === true,
    polling: pollingOf(section.polling ?? POLLING_DEFAULTS),
  });
}

function pollingOf(polling: NonNullable<ProjectConfig['polling']>): Polling {
  return { intervalMs: Math.round(polling.interval_seconds * 1000), jitterPercent: polling.jitter_percent };
}

function withoutAuth(tickets: TicketsConfig): TicketsConfig {
  const { auth: _secret, ...rest } = tickets;
  return rest;
}

function findingsOf(
  project: Project,
  ingress: Ingress,
  disabled: string | undefined,
  section: ProjectConfig,
): ConfigFinding[] {
  const { name } = project;
  const findings: ConfigFinding[] = [];
  if (disabled !== undefined) {
    findings.push(warning('credential-missing', `${name} is off: ${disabled}`, name));
  }
  if (ingress.listing === 'reconcile' && !ingress.webhooks) {
    const text = `${name} streams, but has no webhook secret: only its rare listings bring tickets in`;
    findings.push(warning('no-webhook-secret', text, name));
  }
  if (ingress.listing === 'off' && !ingress.webhooks) {
    findings.push(
      warning('no-ingress', `${name} is neither polled nor reached by webhooks: only people can start runs`, name),
    );
  }
  if (project.routing.pipelineFromLabel.size === 0) {
    findings.push(
      info('pending-only', `${name} has no pipeline_from_label: only agent-smith:pending starts a run`, name),
    );
  }
  if (watchesWholeSite(project.source)) {
    findings.push(warning('whole-site', `${name} names no project in tickets: it watches the whole site`, name));
  }
  if (section.webhook?.allow_unsigned === true) {
    findings.push(warning('unsigned-webhooks', `${name} takes webhooks without a signature`, name));
  }
  return findings;
}
