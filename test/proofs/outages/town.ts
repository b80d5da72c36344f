/**
 * All trackers, watched by replicas that Kubernetes keeps as the chart says: half of the trackers are listed, the other half
 * tell of changes by deliveries, which come in where an Ingress stands.
 */
import { once } from 'node:events';
import type { EmulatedProject } from '../../../src/emulators/emulated-project.ts';
import { EMULATED_PLATFORMS, openSites } from '../../../src/emulators/sites.ts';
import type { EmbeddedRedis } from '../../../src/redis/embedded/embedded-redis.ts';
import { markFresh } from '../../support/house.ts';
import { createDeployment, type Deployment } from '../../support/kubernetes/deployment.ts';
import type { DeploymentPlan } from '../../support/kubernetes/deployment-plan.ts';
import { type Ingress, openIngress } from '../../support/kubernetes/ingress.ts';
import type { Container } from '../../support/kubernetes/kubelet.ts';
import { startTestRedis } from '../../support/redis.ts';
import { type LedgerLine, openSite, type Replica } from '../../support/replica.ts';
import type { Scope } from '../../support/scope.ts';

const SECRET = 'a-secret-of-the-town';
const HOOKED: readonly string[] = ['github', 'gitlab'];

export interface Opened {
  readonly project: EmulatedProject;
  readonly ticket: string;
  readonly id: string;
  readonly title: string;
}

export interface Town {
  readonly projects: readonly EmulatedProject[];
  readonly redis: EmbeddedRedis;
  /** All processes that were ever started. */
  readonly replicas: readonly Replica[];
  readonly deployment: Deployment;
  readonly ingress: Ingress;
  ledger(): Promise<LedgerLine[]>;
  /** What the commands of a ticket wrote: `start 1`, `end 1`. */
  livesOf(of: Opened): Promise<string[]>;
  /** `done`, when that is all that the tracker shows. */
  lifecycleOf(of: Opened): string;
  /** As people do who see that its delivery was refused; does nothing for any other. */
  tellAgainIfRefused(of: Opened): void;
}

export interface TownOptions {
  readonly timeScale: number;
  readonly work: string;
  /** Further YAML at the top level. */
  readonly yaml: string;
  readonly plan: DeploymentPlan;
}

/** Resolves when all replicas take deliveries. */
export async function openTown(scope: Scope, { timeScale, work, yaml, plan }: TownOptions): Promise<Town> {
  const redis = await startTestRedis();
  scope.onTestFinished(() => redis.stop());
  await markFresh(redis.url);
  // A hook that is refused is held back by some of them; here every delivery is to be sent, and answered.
  const sites = await openSites(EMULATED_PLATFORMS, () => ({ webhooks: { pauseScale: 0 } }));
  scope.onTestFinished(async () => void (await Promise.all(sites.map((site) => site.close()))));
  const projects = sites.map(({ project }) => project);
  const watched = projects.map(({ platform, tickets }) => [
    platform,
    {
      tickets,
      [`${platform}_trigger`]: { pipeline_from_label: { 'agent-smith': 'fix-bug' } },
      ...(HOOKED.includes(platform)
        ? { webhook: { secret: SECRET } }
        : { polling: { enabled: true, interval_seconds: 1 } }),
    },
  ]);
  const site = await openSite({
    scope,
    redisUrl: redis.url,
    work,
    yaml,
    projects: ` ${JSON.stringify(Object.fromEntries(watched))}`,
  });
  const env = Object.assign({ LOG_LEVEL: 'warn' }, ...projects.map(({ environment }) => environment)) as Record<
    string,
    string
  >;
  const replicas: Replica[] = [];
  const over = new AbortController();
  scope.onTestFinished(() => over.abort());
  const ingress = await openIngress();
  scope.onTestFinished(() => ingress.close());
  const start = async (): Promise<Container> => {
    const replica = await site.start({ timeScale, env, detached: true });
    replicas.push(replica);
    return { port: replica.port, ended: once(replica.process, 'exit'), signal: replica.signal };
  };
  const deployment = createDeployment({
    plan,
    start,
    onEndpoints: (pods) => ingress.setEndpoints(pods.map(({ container }) => container.port)),
    signal: over.signal,
  });
  await deployment.scaleUp();
  // Not before: nobody registers an address that is not there yet, since the platforms ping it.
  for (const project of projects.filter(({ platform }) => HOOKED.includes(platform)))
    project.addWebhook({ url: `${ingress.origin}/webhook/${project.platform}`, secret: SECRET });

  const lifecycles = ({ project, ticket }: Opened): string[] =>
    project.ticket(ticket).labels.filter((label) => label.startsWith('agent-smith:'));

  return {
    projects,
    redis,
    replicas,
    deployment,
    ingress,
    ledger: site.ledger,
    livesOf: async ({ project, id }) =>
      (await site.ledger())
        .filter((line) => line.project === project.platform && line.ticket === id)
        .map(({ event, attempt }) => `${event} ${attempt}`),
    lifecycleOf: (of) => lifecycles(of).join().replace('agent-smith:', ''),
    tellAgainIfRefused(of) {
      if (lifecycles(of).length > 0) return;
      const told = of.project.webhooks
        .attempts()
        .filter(({ delivery: { body } }) => body.includes(`"${of.title}"`) && body.includes('agent-smith'));
      if (told.at(-1)?.status !== 503) return;
      of.project.removeLabel(of.ticket, 'agent-smith');
      of.project.addLabel(of.ticket, 'agent-smith');
    },
  };
}

/** A ticket that somebody has just labelled. */
export function openLabelled(project: EmulatedProject, title: string): Opened {
  const { ticket, id } = project.openTicket({ title, labels: ['bug'] });
  project.addLabel(ticket, 'agent-smith');
  return { project, ticket, id, title };
}
