/**
 * Checks the shape of the whole file and lets what is well formed go on, so that the checks after this one can report
 * their problems in the same breath: what is broken is cut out, project by project.
 */
import type { PlatformDescriptor, TicketsConfig } from '../platforms/descriptor.ts';
import { PLATFORMS, platformOfType } from '../platforms/registry.ts';
import { type Path, type Problem, suggestion } from './problems.ts';
import { type ConfigFile, fileSchema } from './schema.ts';
import { checkAgainst } from './schema-issues.ts';

/** The `tickets:` section of a project, valid for its platform. */
export interface Tickets {
  readonly descriptor: PlatformDescriptor;
  readonly tickets: TicketsConfig;
}

export interface CheckedFile {
  /** What was well formed; all of it when there are no problems. */
  readonly file: ConfigFile;
  /** By project. */
  readonly tickets: ReadonlyMap<string, Tickets>;
  readonly problems: readonly Problem[];
}

/** `broken` are the paths that are known to be wrong already: what the schema says about them is no news. */
export function checkSchema(tree: unknown, broken: readonly Path[]): CheckedFile {
  const whole = checkAgainst(fileSchema, tree);
  const tickets = new Map<string, Tickets>();
  const found = [...whole.problems];
  for (const [project, value] of Object.entries(mappingAt(tree, 'projects'))) {
    const section = mappingAt(value, 'tickets');
    if (typeof section.type !== 'string') continue;
    const checked = checkTickets(section.type, section, ['projects', project, 'tickets']);
    if (checked.tickets !== undefined) tickets.set(project, checked.tickets);
    found.push(...checked.problems);
  }
  const problems = found.filter(({ path }) => !broken.some((start) => start.every((step, i) => path[i] === step)));
  const wrong = [...found.map(({ path }) => path), ...broken];
  const rest = wrong.length === 0 ? whole.value : fileSchema.parse(cutOut(tree, wrong));
  return { file: rest ?? fileSchema.parse({ projects: {} }), tickets, problems };
}

function checkTickets(type: string, section: unknown, path: Path): { tickets?: Tickets; problems: readonly Problem[] } {
  const descriptor = platformOfType(type);
  if (descriptor === undefined) {
    const types = PLATFORMS.map((platform) => platform.type);
    const message = `must be one of ${types.join(', ')}${suggestion(type, types)}`;
    return { problems: [{ path: [...path, 'type'], message }] };
  }
  const { value, problems } = checkAgainst(descriptor.ticketsSchema, section, path);
  return value === undefined ? { problems } : { tickets: { descriptor, tickets: value as TicketsConfig }, problems };
}

/** The tree without each project, pipeline or other section that a wrong path lies in. */
function cutOut(tree: unknown, wrong: readonly Path[]): unknown {
  const kept: Record<string, unknown> = { ...mapping(tree) };
  for (const [section, name] of wrong) {
    if ((section === 'projects' || section === 'pipelines') && typeof name === 'string') {
      const { [name]: _cut, ...others } = mappingAt(kept, section);
      kept[section] = others;
    } else if (section !== undefined) {
      delete kept[section];
    }
  }
  return { ...kept, projects: mappingAt(kept, 'projects') };
}

/** The platform that a project's tickets name, if there is one of that name. */
export function descriptorOf(project: unknown): PlatformDescriptor | undefined {
  const { type } = mappingAt(project, 'tickets');
  return typeof type === 'string' ? platformOfType(type) : undefined;
}

/** The mapping under a key, empty when there is none. */
export function mappingAt(tree: unknown, key: string): Readonly<Record<string, unknown>> {
  return mapping(mapping(tree)[key]);
}

/** The value if it is a mapping, otherwise an empty one. */
export function mapping(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}
