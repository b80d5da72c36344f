/**
 * Rules that need several places of the file at once. Each check is a small function from the facts to problems. They
 * look at the plain values, so that a project with another problem is checked all the same and everything is reported
 * together.
 */
import { isDeepStrictEqual } from 'node:util';
import { sourceKey, type TicketSource } from '../domain/ticket.ts';
import type { PlatformDescriptor } from '../platforms/descriptor.ts';
import { PLATFORMS } from '../platforms/registry.ts';
import { descriptorOf, mapping, mappingAt, type Tickets } from './check-schema.ts';
import type { ConfigDocument } from './document.ts';
import type { Expansion } from './expand.ts';
import { defaultCallbackUrl, httpProblems } from './http-pipelines.ts';
import { contradiction } from './ingress-policy.ts';
import { runnersIn } from './pipelines.ts';
import type { Path, Problem } from './problems.ts';
import { type ConfigFile, HOUSE_SECRETS } from './schema.ts';
import { type TriggerLabel, triggerLabels } from './trigger-labels.ts';

export interface Facts {
  readonly document: ConfigDocument;
  /** The whole file after expansion, well formed or not. */
  readonly tree: unknown;
  /** What of it is well formed. */
  readonly file: ConfigFile;
  readonly uses: Expansion['uses'];
  /** Names of the well-formed projects in the order of the file. */
  readonly projects: readonly string[];
  readonly tickets: ReadonlyMap<string, Tickets>;
  readonly sources: ReadonlyMap<string, TicketSource>;
}

export function crossCheck(facts: Facts): Problem[] {
  return [
    ...projectsOfOneName(facts),
    ...runnersOfPipelines(facts),
    ...servicesOfPipelines(facts),
    ...secretsForPipelines(facts),
    ...projectsAlone(facts),
    ...policiesAgainstEngine(facts),
    ...sharedSources(facts),
    ...wholeSites(facts),
  ];
}

/** Names appear in keys, routes and commands, where people do not tell letter case apart. */
function projectsOfOneName({ document }: Facts): Problem[] {
  return repeated(document.keysAt(['projects'])).map(({ second, first }) => ({
    path: ['projects', second],
    message: `is the same name as ${first}: letter case does not tell projects apart`,
  }));
}

function runnersOfPipelines({ tree }: Facts): Problem[] {
  return Object.entries(mappingAt(tree, 'pipelines')).flatMap(([name, section]) => {
    if (typeof section !== 'object' || section === null || Array.isArray(section)) return [];
    const runners = runnersIn(section);
    if (runners.length === 1) return [];
    const message = `must have exactly one of command, kubernetes_job, http${runners.length > 1 ? `, not ${runners.join(' and ')}` : ''}`;
    return [{ path: ['pipelines', name], message }];
  });
}

/** Of a pipeline that names several runners, that is the thing to say. */
function servicesOfPipelines({ file }: Facts): Problem[] {
  const callbackUrl = defaultCallbackUrl(file);
  return Object.entries(file.pipelines).flatMap(([name, section]) => {
    if (section.http === undefined || runnersIn(section).length > 1) return [];
    return httpProblems(section.http, callbackUrl).map(({ key, message }) => ({
      path: ['pipelines', name, 'http', key],
      message,
    }));
  });
}

/** What only the house may know reaches a pipeline neither by `pass_env` nor by `${}`. */
function secretsForPipelines({ file, uses }: Facts): Problem[] {
  const webhookVariables = uses.filter(({ path }) => path[0] === 'projects' && path[2] === 'webhook');
  const forbidden = new Set([...HOUSE_SECRETS, ...webhookVariables.map(({ variable }) => variable)]);
  if (file.webhooks?.secret_env !== undefined) forbidden.add(file.webhooks.secret_env);
  const handed = uses.filter(({ path, variable }) => path[0] === 'pipelines' && forbidden.has(variable));
  const passed = Object.entries(file.pipelines).flatMap(([name, { pass_env = [] }]) =>
    pass_env.map((variable, index) => ({ path: ['pipelines', name, 'pass_env', index], variable })),
  );
  return [...handed, ...passed.filter(({ variable }) => forbidden.has(variable))].map(({ path, variable }) => ({
    path,
    message: `${variable} must not be handed to a pipeline`,
  }));
}

function projectsAlone({ document, tree }: Facts): Problem[] {
  return Object.entries(mappingAt(tree, 'projects')).flatMap(([name, project]) => {
    const at: Path = ['projects', name];
    const problems = PLATFORMS.flatMap((platform) => repeatedLabels([...at, platform.triggerKey], document));
    const descriptor = descriptorOf(project);
    for (const { triggerKey, type } of PLATFORMS) {
      if (descriptor === undefined || descriptor.triggerKey === triggerKey || !hasKey(project, triggerKey)) continue;
      const message = `belongs to ${type}, but tickets.type is ${descriptor.type}: use ${descriptor.triggerKey}`;
      problems.push({ path: [...at, triggerKey], message });
    }
    problems.push(...labelsThatCannotBe([...at, descriptor?.triggerKey ?? ''], descriptor, document));
    const webhook = mappingAt(project, 'webhook');
    if (webhook.secret !== undefined && webhook.secrets !== undefined) {
      problems.push({ path: [...at, 'webhook'], message: 'must have either secret or secrets, not both' });
    }
    if (hasPassword(mappingAt(project, 'source').url)) {
      problems.push({ path: [...at, 'source', 'url'], message: 'must not hold a password' });
    }
    return problems;
  });
}

function repeatedLabels(trigger: Path, document: ConfigDocument): Problem[] {
  const seen = new Map<string, TriggerLabel>();
  return triggerLabels(document, trigger).flatMap(({ label, path }) => {
    const first = seen.get(label.toLowerCase());
    if (first === undefined) seen.set(label.toLowerCase(), { label, path });
    // A key that is there twice has been reported with the file.
    if (first === undefined || isDeepStrictEqual(first.path, path)) return [];
    return [{ path, message: `is the same label as ${first.label}: letter case is ignored` }];
  });
}

/** A key that no ticket of the platform can carry would wait for ever without a word. */
function labelsThatCannotBe(
  trigger: Path,
  descriptor: PlatformDescriptor | undefined,
  document: ConfigDocument,
): Problem[] {
  return triggerLabels(document, trigger).flatMap(({ label, path }) => {
    const message = descriptor?.labelProblem?.(label);
    return message === undefined ? [] : [{ path, message }];
  });
}

function policiesAgainstEngine({ tree }: Facts): Problem[] {
  const { event_engine: engine, default_sync_policy: fallback } = mapping(tree);
  const policies: { path: Path; policy: unknown }[] = [{ path: ['default_sync_policy'], policy: fallback }];
  for (const [name, project] of Object.entries(mappingAt(tree, 'projects'))) {
    policies.push({ path: ['projects', name, 'sync_policy'], policy: mapping(project).sync_policy });
  }
  return policies.flatMap(({ path, policy }) => {
    const message = contradiction(engine, policy);
    return message === undefined ? [] : [{ path, message }];
  });
}

/** Routing goes by source: of two projects with one label, the second would never get a ticket. */
function sharedSources({ document, tree, sources }: Facts): Problem[] {
  const owners = new Map<string, string>();
  return document.keysAt(['projects']).flatMap((name) => {
    const source = sources.get(name);
    const descriptor = descriptorOf(mappingAt(tree, 'projects')[name]);
    if (source === undefined || descriptor === undefined) return [];
    return triggerLabels(document, ['projects', name, descriptor.triggerKey]).flatMap(({ label, path }) => {
      const key = `${sourceKey(source)} ${label.toLowerCase()}`;
      const owner = owners.get(key) ?? name;
      owners.set(key, owner);
      const message = `${owner} watches the same tickets with this trigger label already`;
      return owner === name ? [] : [{ path, message }];
    });
  });
}

/** Two projects that watch everything on one site would both answer for every ticket. */
function wholeSites({ document, sources }: Facts): Problem[] {
  const owners = new Map<string, string>();
  return document.keysAt(['projects']).flatMap((name) => {
    const source = sources.get(name);
    if (source === undefined || !watchesWholeSite(source)) return [];
    const owner = owners.get(sourceKey(source)) ?? name;
    owners.set(sourceKey(source), owner);
    const message = `is missing: ${owner} watches the whole site already, so one of them must name its project`;
    return owner === name ? [] : [{ path: ['projects', name, 'tickets', 'project'], message }];
  });
}

/** Nothing narrows it: neither the container of the platform nor a project of its own. */
export function watchesWholeSite(source: TicketSource): boolean {
  return source.container === '' && source.scope === undefined;
}

/** Keys that differ in letter case alone, each with the first of its kind. */
function repeated(keys: readonly string[]): { first: string; second: string }[] {
  const seen = new Map<string, string>();
  return keys.flatMap((key) => {
    const first = seen.get(key.toLowerCase());
    if (first === undefined) seen.set(key.toLowerCase(), key);
    return first === undefined || first === key ? [] : [{ first, second: key }];
  });
}

function hasKey(project: unknown, key: string): boolean {
  return mapping(project)[key] !== undefined;
}

function hasPassword(url: unknown): boolean {
  const parsed = typeof url === 'string' ? URL.parse(url) : null;
  return parsed !== null && parsed.password !== '';
}
