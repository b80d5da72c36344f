/**
 * The emulated trackers of this build, each opened with one sample project and a token that may read and write it, and look
 * after its webhooks: for whoever wants any of them, or all side by side, and treats them alike.
 */
import { createAzureDevOpsEmulator } from './azuredevops/azuredevops-emulator.ts';
import { azureDevOpsProject } from './azuredevops/azuredevops-project.ts';
import type { EmulatedProject, EmulatedServer } from './emulated-project.ts';
import { createGitHubEmulator } from './github/github-emulator.ts';
import { githubProject } from './github/github-project.ts';
import { createGitLabEmulator } from './gitlab/gitlab-emulator.ts';
import { gitlabProject } from './gitlab/gitlab-project.ts';
import { createJiraEmulator } from './jira/jira-emulator.ts';
import { jiraProject } from './jira/jira-project.ts';
import type { WebhookOptions } from './webhook-sender.ts';

export interface Site {
  /** Slug of the platform. */
  readonly platform: string;
  /** The platform's name for people. */
  readonly name: string;
  /** Running. */
  readonly server: EmulatedServer;
  readonly project: EmulatedProject;
  close(): Promise<void>;
}

export interface SiteOptions {
  /** Default 0, any free one. */
  readonly port?: number;
  /** Default: as patient as the real ones. */
  readonly webhooks?: WebhookOptions;
}

type Opened = Pick<Site, 'name' | 'server' | 'project'>;

const BOT = 'agent-smith-bot';
/** What the real ones allow would bring the demo, and a benchmark all the more, to a stand. */
const NO_LIMIT = 10_000_000;

/** In the order in which they are shown, and in which `agent-smith emulate` gives out ports. */
const SITES: Readonly<Record<string, (options: SiteOptions) => Opened>> = {
  github({ port = 0, webhooks = {} }) {
    const token = 'ghp_only_known_to_the_emulator';
    const server = createGitHubEmulator({
      port,
      webhooks,
      tokens: { bot: { token, login: BOT, scopes: ['repo'] } },
      repositories: ['acme/shop'],
      rateLimit: { limit: NO_LIMIT },
    });
    return { name: 'GitHub', server, project: githubProject(server, 'acme/shop', token) };
  },
  gitlab({ port = 0, webhooks = {} }) {
    const token = 'glpat-only-known-to-the-emulator';
    const server = createGitLabEmulator({
      port,
      webhooks,
      tokens: { bot: { token, login: BOT, access: 'maintainer' } },
      projects: ['acme/web'],
      rateLimit: { limit: NO_LIMIT },
    });
    return { name: 'GitLab', server, project: gitlabProject(server, 'acme/web', token) };
  },
  azuredevops({ port = 0, webhooks = {} }) {
    const token = 'azure-pat-only-known-to-the-emulator';
    const server = createAzureDevOpsEmulator({
      port,
      webhooks,
      tokens: { bot: { token, login: BOT } },
      collections: { acme: ['Billing'] },
    });
    const place = { organization: 'acme', project: 'Billing' };
    return { name: 'Azure DevOps', server, project: azureDevOpsProject(server, place, token) };
  },
  jira({ port = 0, webhooks = {} }) {
    const credential = { email: `${BOT}@acme.test`, token: 'ATATT-only-known-to-the-emulator' };
    const server = createJiraEmulator({
      deployment: 'cloud',
      port,
      webhooks,
      accounts: { bot: { ...credential, login: BOT } },
      projects: ['DESK'],
    });
    return { name: 'Jira', server, project: jiraProject(server, 'DESK', credential) };
  },
};

/** Slugs of the platforms that have an emulator. */
export const EMULATED_PLATFORMS: readonly string[] = Object.keys(SITES);

/**
 * Starts one emulator per slug, in the given order. When one cannot start, those before it are closed again.
 * @throws when a slug is unknown, or a port cannot be listened on (`code` is the system's, `EADDRINUSE` for a taken one).
 */
export async function openSites(
  platforms: readonly string[],
  optionsOf: (platform: string) => SiteOptions = () => ({}),
): Promise<Site[]> {
  const open: Site[] = [];
  try {
    for (const platform of platforms) open.push(await openSite(platform, optionsOf(platform)));
    return open;
  } catch (error) {
    await Promise.all(open.map((site) => site.close()));
    throw error;
  }
}

async function openSite(platform: string, options: SiteOptions): Promise<Site> {
  const create = SITES[platform];
  if (create === undefined) throw new Error(`no emulator of ${platform}: there are ${EMULATED_PLATFORMS.join(', ')}`);
  const opened = create(options);
  await opened.server.start();
  return { platform, ...opened, close: () => opened.server.close() };
}
