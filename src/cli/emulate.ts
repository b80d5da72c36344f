/**
 * `agent-smith emulate`: the emulated trackers for people who test an integration of their own, on fixed ports, with
 * what they have to paste: addresses, credentials, a configuration. What is there is forgotten at the end.
 */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { stringify } from 'yaml';
import type { Environment } from '../config/expand.ts';
import { type ControlServer, startControlServer } from '../emulators/control-server.ts';
import type { NewTicket } from '../emulators/emulated-project.ts';
import { EMULATED_PLATFORMS, openSites, type Site } from '../emulators/sites.ts';
import { messageOf } from '../foundation/errors.ts';
import { type ExitCode, UsageError, untilDismissed } from './process.ts';

export interface EmulateOptions {
  /** Slugs; all when absent. */
  readonly platforms?: readonly string[] | undefined;
  /** The first of ten ports; 0 takes any free ones. */
  readonly port: number;
  /** Where to write a configuration for what is served. */
  readonly configOut?: string | undefined;
  readonly json: boolean;
  readonly env: Environment;
  readonly cwd: string;
}

/** Behind the ports of the platforms, with room for more of them. */
const CONTROL_OFFSET = 9;
/** Of all hooks that people register for the configuration that is printed. */
const WEBHOOK_SECRET = 'only-known-to-the-emulators';
/** Where `dev` listens. */
const SERVER = 'http://127.0.0.1:8081';
/** Slow enough to see that a webhook is faster. */
const POLL_SECONDS = 5;
/** The last one is closed again at once: no integration should pick it up. */
const SAMPLES: readonly NewTicket[] = [
  { title: 'Checkout button does nothing on Safari 17', labels: ['bug', 'agent-smith'] },
  { title: 'Which region do we deploy to first?', labels: ['question'] },
  { title: 'Old: invoices were numbered twice', labels: ['agent-smith'] },
];

export async function emulate(options: EmulateOptions): Promise<ExitCode> {
  const asked = untilDismissed(options.env);
  const platforms = options.platforms ?? EMULATED_PLATFORMS;
  const unknown = platforms.filter((platform) => !EMULATED_PLATFORMS.includes(platform));
  if (unknown.length > 0) {
    throw new UsageError(`no emulator of ${unknown.join(', ')}: there are ${EMULATED_PLATFORMS.join(', ')}`);
  }
  const { sites, control } = await serveSites(platforms, options.port);
  try {
    for (const site of sites) openSamples(site);
    const config = configOf(sites);
    if (options.configOut !== undefined) await writeConfig(path.resolve(options.cwd, options.configOut), config);
    const text = (): string => asText(sites, control, { config, file: options.configOut });
    console.log(options.json ? JSON.stringify(asJson(sites, control, config)) : text());
    if (!asked.aborted) await new Promise((resolve) => asked.addEventListener('abort', resolve, { once: true }));
    return 0;
  } finally {
    await Promise.all([control.close(), ...sites.map((site) => site.close())]);
  }
}

async function serveSites(
  platforms: readonly string[],
  base: number,
): Promise<{ readonly sites: readonly Site[]; readonly control: ControlServer }> {
  // A platform has its port, whichever others are served.
  const portOf = (offset: number): number => (base === 0 ? 0 : base + offset);
  let sites: readonly Site[] = [];
  try {
    sites = await openSites(platforms, (platform) => ({ port: portOf(EMULATED_PLATFORMS.indexOf(platform)) }));
    return { sites, control: await startControlServer(sites, portOf(CONTROL_OFFSET)) };
  } catch (error) {
    await Promise.all(sites.map((site) => site.close()));
    throw new UsageError(
      `the emulators cannot listen: ${messageOf(error)}; choose another --port, they take ten from there`,
    );
  }
}

function openSamples({ project }: Site): void {
  const opened = SAMPLES.map((sample) => project.openTicket(sample));
  const last = opened.at(-1);
  if (last !== undefined) project.closeTicket(last.ticket);
}

/** A configuration that works as it is, in the environment that is printed beside it. */
function configOf(sites: readonly Site[]): object {
  const projectOf = ({ platform, project }: Site) => ({
    tickets: { ...project.tickets, auth: 'token' },
    [`${platform}_trigger`]: { pipeline_from_label: { 'agent-smith': 'fix-bug' } },
    polling: { enabled: true, interval_seconds: POLL_SECONDS },
    // Without a hook at the tracker it changes nothing.
    webhook: { secret: WEBHOOK_SECRET },
  });
  return {
    projects: Object.fromEntries(sites.map((site) => [site.platform, projectOf(site)])),
    pipelines: { 'fix-bug': { command: ['sh', '-c', 'echo "working on $AGENTSMITH_TICKET_URL"; cat'] } },
  };
}

async function writeConfig(file: string, config: object): Promise<void> {
  try {
    await writeFile(file, stringify(config), { flag: 'wx' });
  } catch (error) {
    throw new UsageError(`the configuration cannot be written: ${messageOf(error)}; name another file`);
  }
}

function environmentOf(sites: readonly Site[]): Record<string, string> {
  return Object.assign({}, ...sites.map(({ project }) => project.environment));
}

/** Where a client library finds it: on Azure DevOps the organisation, not the server. */
function apiOf({ server, project }: Site): string {
  return textOf(project.tickets['api_url']) || server.url;
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function asJson(sites: readonly Site[], control: ControlServer, config: object): object {
  return {
    control: control.url,
    environment: environmentOf(sites),
    config,
    platforms: sites.map((site) => ({
      platform: site.platform,
      api: apiOf(site),
      tickets: site.project.tickets,
      environment: site.project.environment,
      samples: site.project.all(),
    })),
  };
}

/** What registers a webhook: the others go alike. */
function hookCommand(control: string, platform: string): string {
  const hook = { url: `${SERVER}/webhook/${platform}`, secret: WEBHOOK_SECRET };
  return `curl ${control}/webhooks -H 'content-type: application/json' -d '${JSON.stringify(hook)}'`;
}

function asText(
  sites: readonly Site[],
  control: ControlServer,
  { config, file }: { readonly config: object; readonly file: string | undefined },
): string {
  const blocks = sites.map((site) => {
    const { name, project } = site;
    const tickets = project
      .all()
      .map(({ ticket, labels, open }) => `${ticket} (${[...labels, ...(open ? [] : ['closed'])].join(', ')})`);
    return [
      name,
      `  API      ${apiOf(site)}`,
      `  project  ${textOf(project.tickets['url'])} ${textOf(project.tickets['project'])}`.trimEnd(),
      `  tickets  ${tickets.join(', ')}`,
    ];
  });
  const environment = Object.entries(environmentOf(sites)).map(([name, value]) => `export ${name}=${value}`);
  return [
    ...blocks.flatMap((block) => [...block, '']),
    `What people do, faults and the ledger: ${control.url} (docs/emulators.md)`,
    '',
    ...environment,
    '',
    // What is in a file need not be pasted from here.
    ...(file === undefined
      ? ['# agentsmith.yml', stringify(config)]
      : [
          `The configuration is in ${file}. In another terminal, after the exports above:`,
          '',
          `npm run dev -- --config ${file}`,
          '',
          `It asks every ${POLL_SECONDS} s. A webhook tells it at once (docs/emulators.md):`,
          '',
          ...sites.slice(0, 1).map(({ platform }) => hookCommand(`${control.url}/${platform}`, platform)),
          '',
        ]),
    'Serving until Ctrl-C; all is forgotten then.',
  ].join('\n');
}
