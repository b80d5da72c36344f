/**
 * All trackers, watched by replicas that come and go: half of them are listed, the other half tell of changes by deliveries,
 * which a balancer passes to whichever replicas say that they are ready.
 */
import { openBalancer } from '../../../src/cli/demo/balancer.ts';
import type { EmulatedProject } from '../../../src/emulators/emulated-project.ts';
import { EMULATED_PLATFORMS, openSites } from '../../../src/emulators/sites.ts';
import { sleep } from '../../../src/foundation/loop.ts';
import { markFresh } from '../../support/house.ts';
import { startTestRedis } from '../../support/redis.ts';
import { type LedgerLine, openSite, type Replica } from '../../support/replica.ts';
import type { Scope } from '../../support/scope.ts';
import { eventually } from './stage.ts';

const SECRET = 'a-secret-of-the-town';
const HOOKED: readonly string[] = ['github', 'gitlab'];
/** How often the balancer asks who is ready. */
const ASK_MS = 100;

export interface Opened {
  readonly project: EmulatedProject;
  readonly ticket: string;
  readonly id: string;
  readonly title: string;
}

export interface Town {
  readonly projects: readonly EmulatedProject[];
  /** All that were ever started. */
  readonly replicas: readonly Replica[];
  /** Starts one more; resolves when it is ready. */
  start(): Promise<Replica>;
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
}

export async function openTown(scope: Scope, { timeScale, work, yaml }: TownOptions): Promise<Town> {
  const redis = await startTestRedis();
  scope.onTestFinished(() => redis.stop());
  await markFresh(redis.url);
  const sites = await openSites(EMULATED_PLATFORMS);
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
  const ready = new Set<Replica>();
  const over = new AbortController();
  scope.onTestFinished(() => over.abort());
  const watch = async (replica: Replica): Promise<void> => {
    do {
      const code = await replica.ready().then(
        (answer) => answer.code,
        () => 0,
      );
      if (code === 200) ready.add(replica);
      else ready.delete(replica);
    } while (replica.process.exitCode === null && (await sleep(ASK_MS, over.signal)));
  };
  const balancer = await openBalancer(() => [...ready].map(({ port }) => port));
  scope.onTestFinished(() => balancer.close());
  /** Nobody registers an address that is not there yet: the platforms ping it. */
  const addHooks = (): void => {
    for (const project of projects.filter(({ platform }) => HOOKED.includes(platform)))
      project.addWebhook({ url: `${balancer.origin}/webhook/${project.platform}`, secret: SECRET });
  };

  const lifecycles = ({ project, ticket }: Opened): string[] =>
    project.ticket(ticket).labels.filter((label) => label.startsWith('agent-smith:'));

  return {
    projects,
    replicas,
    async start() {
      const replica = await site.start({ timeScale, env, detached: true });
      void watch(replica);
      await eventually('it is ready', () => ready.has(replica));
      if (replicas.push(replica) === 1) addHooks();
      return replica;
    },
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
