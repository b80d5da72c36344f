/**
 * The rules of the house as functions over source text, so that each can be tried on a bad example. Sources are parsed,
 * not searched: an import in a comment is none, and one inside a type is one.
 */
import path from 'node:path';
import { parseAst } from 'vitest/node';

/** Path below the repository, with forward slashes, to source text. */
export type Sources = ReadonlyMap<string, string>;

/** Floors from the ground up. A room opens into lower floors only, never into another room of its own floor. */
const FLOORS: readonly (readonly string[])[] = [
  ['foundation'],
  ['domain'],
  ['platforms', 'redis'],
  ['runs', 'queue', 'coordination'],
  ['claims', 'labels'],
  ['ingress', 'worker', 'repair'],
  ['config'],
  ['server', 'tracing'],
  ['app'],
  ['cli'],
];

/** Stands outside the house, and may use nothing of it but this. */
const OUTSIDE = 'emulators';
const OUTSIDE_MAY_USE = 'foundation';
/** The commands that may start emulators. */
const EMULATOR_USERS = /^src\/cli\/(demo\/|emulate)/;

/** The libraries by which platforms are asked. */
const CLIENTS = /^(@octokit\/.*|@gitbeaker\/.*|azure-devops-node-api|jira\.js)$/;
/** Packages that have one door each: who may import them. */
const DOORS: readonly { readonly packages: RegExp; readonly rooms: readonly string[] }[] = [
  { packages: /^bullmq$/, rooms: ['queue'] },
  { packages: /^ioredis$/, rooms: ['redis', 'queue'] },
  { packages: /^(fastify|@fastify\/.*)$/, rooms: ['server', 'emulators'] },
  { packages: CLIENTS, rooms: ['platforms'] },
  { packages: /^@kubernetes\/client-node$/, rooms: ['worker'] },
  { packages: /^@opentelemetry\/.*$/, rooms: ['tracing'] },
];
/** Imported in one file altogether. */
const ONE_FILE_PACKAGES = ['prom-client'];
const ENVIRONMENT_ROOMS = ['config', 'cli'];

/** From the route to the record. */
const DELIVERY_SIDE =
  /^src\/(server\/webhook-[a-z-]+|platforms\/([a-z]+\/)?webhook[a-z-]*|ingress\/deliveries\/(delivery-receiver|route-delivery|webhook-doors))\.ts$/;
/** Can ask a platform, or has one asked. */
const ASKS_PLATFORMS =
  /^src\/((claims|labels|queue|worker|repair)\/|platforms\/(transport|session|connections|registry|[a-z]+\/(client|adapter))\.ts$)/;

const PROVIDERS = /github|gitlab|azure_?devops|jira/i;
/** What may know providers by name: their own folder, their emulators, and the demo that joins the two. */
const KNOWS_PROVIDERS = /^src\/(platforms|emulators)\/|^src\/cli\/(demo\/|emulate)/;

export interface Import {
  readonly from: string;
  /** A path below the repository for files of our own, else the name of the package or `node:` module. */
  readonly to: string;
  readonly isPath: boolean;
  /** Gone when the code runs. */
  readonly isType: boolean;
}

interface Node {
  readonly type: string;
  readonly [key: string]: unknown;
}

/** Every import and re-export, also of types, also dynamic. Throws on an import of something computed. */
export function importsOf(sources: Sources): Import[] {
  return [...sources].flatMap(([from, text]) =>
    nodesOf(from, text).flatMap((node) => {
      const source = sourceOf(node);
      if (source === undefined) return [];
      if (source.type !== 'Literal') throw new Error(`${from} imports something computed, which nobody can check`);
      const specifier = String(source['value']);
      // A path begins with a dot or a slash; `package/file.js` is the package's.
      return [{ from, to: resolve(from, specifier), isPath: /^[./]/.test(specifier), isType: isType(node) }];
    }),
  );
}

/** Files that import from a higher floor, from a neighbour, or from a room that is on no floor. */
export function floorViolations(sources: Sources): string[] {
  return importsOf(sources).flatMap(({ from, to }) => {
    if (!to.startsWith('src/')) return [];
    const [user, used] = [roomOf(from), roomOf(to)];
    if (user === used) return [];
    if (used === OUTSIDE) return EMULATOR_USERS.test(from) ? [] : [`${from} imports ${to}: only demo and emulate may`];
    if (user === OUTSIDE) return used === OUTSIDE_MAY_USE ? [] : [`${from} imports ${to}: emulators stand outside`];
    const [userFloor, usedFloor] = [floorOf(user), floorOf(used)];
    if (userFloor === -1) return [`${from}: the room ${user} is on no floor`];
    if (usedFloor === -1) return [`${from} imports ${to}: the room ${used} is on no floor`];
    return usedFloor < userFloor ? [] : [`${from} imports ${to}: ${used} is not below ${user}`];
  });
}

/** Files that reach past a door: a package or `process.env` where it does not belong, or code outside src. */
export function doorViolations(sources: Sources): string[] {
  const imports = importsOf(sources);
  const closed = imports.flatMap(({ from, to, isPath }) => {
    if (isPath) return to.startsWith('src/') ? [] : [`${from} imports ${to}, outside src`];
    const door = DOORS.find(({ packages }) => packages.test(packageOf(to)));
    return door === undefined || door.rooms.includes(roomOf(from))
      ? []
      : [`${from} imports ${to}: only ${door.rooms.join(' and ')} may`];
  });
  const shared = ONE_FILE_PACKAGES.flatMap((name) => {
    const users = new Set(imports.filter(({ to }) => packageOf(to) === name).map(({ from }) => from));
    return users.size > 1 ? [`${name} is imported in ${[...users].join(', ')}: one file may`] : [];
  });
  const environment = [...sources]
    .filter(([file]) => !ENVIRONMENT_ROOMS.includes(roomOf(file)))
    .filter(([file, text]) => nodesOf(file, text).some(readsEnvironment))
    .map(([file]) => `${file} reads process.env: only ${ENVIRONMENT_ROOMS.join(' and ')} may`);
  return [...closed, ...shared, ...environment];
}

/** The files that take deliveries in. */
export function deliverySide(sources: Sources): string[] {
  return [...sources.keys()].filter((file) => DELIVERY_SIDE.test(file));
}

/**
 * Ways from where deliveries are taken in to whatever can ask a platform. A delivery is kept while its platform is away, and
 * starts nothing by itself: the inbox has its ticket claimed, like every other trigger.
 */
export function waysFromDeliveriesToPlatforms(sources: Sources): string[] {
  const imports = importsOf(sources).filter((one) => !one.isType);
  const reached = new Set(deliverySide(sources));
  const ways: string[] = [];
  // A set is walked to its end, over what is added meanwhile as well.
  for (const file of reached) {
    for (const { to } of imports.filter(({ from }) => from === file)) {
      if (ASKS_PLATFORMS.test(to) || CLIENTS.test(packageOf(to)))
        ways.push(`${file}, where deliveries lead, imports ${to}`);
      else reached.add(to);
    }
  }
  return ways;
}

/** Default exports: they have no name that a reader could search for. */
export function defaultExports(sources: Sources): string[] {
  return [...sources]
    .filter(([file, text]) => nodesOf(file, text).some(isDefaultExport))
    .map(([file]) => `${file} has a default export`);
}

/** Provider names, in identifiers or text, where every platform must be the same. Comments may name them. */
export function providerNames(sources: Sources): string[] {
  return [...sources]
    .filter(([file]) => !KNOWS_PROVIDERS.test(file))
    .flatMap(([file, text]) =>
      nodesOf(file, text)
        .map(wordOf)
        .filter((word) => PROVIDERS.test(word))
        .map((word) => `${file} names a provider: ${word}`),
    );
}

/** Folders of `src/platforms` that the registry does not import, and the other way round. */
export function registryViolations(sources: Sources): string[] {
  const platformOf = (file: string): string | undefined => /^src\/platforms\/([^/]+)\//.exec(file)?.[1];
  const folders = new Set([...sources.keys()].flatMap((file) => platformOf(file) ?? []));
  const registered = new Set(
    importsOf(sources)
      .filter(({ from }) => from === 'src/platforms/registry.ts')
      .flatMap(({ to }) => platformOf(to) ?? []),
  );
  return [
    ...[...folders].filter((name) => !registered.has(name)).map((name) => `platforms/${name} is not in the registry`),
    ...[...registered]
      .filter((name) => !folders.has(name))
      .map((name) => `the registry names platforms/${name}, which is not there`),
  ];
}

/** `src/claims/x.ts` is in `claims`, `src/app.ts` in `app`. */
function roomOf(file: string): string {
  return (file.split('/')[1] ?? '').replace(/\.ts$/, '');
}

function floorOf(room: string): number {
  return FLOORS.findIndex((rooms) => rooms.includes(room));
}

function resolve(from: string, specifier: string): string {
  return specifier.startsWith('.') ? path.posix.join(path.posix.dirname(from), specifier) : specifier;
}

/** `@octokit/rest/dist/x` belongs to `@octokit/rest`. */
function packageOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

function sourceOf(node: Node): Node | undefined {
  switch (node.type) {
    case 'ImportDeclaration':
    case 'ExportAllDeclaration':
    case 'ExportNamedDeclaration':
    case 'ImportExpression':
    case 'TSImportType':
      return isNode(node['source']) ? node['source'] : undefined;
    case 'TSExternalModuleReference':
      return isNode(node['expression']) ? node['expression'] : undefined;
    default:
      return undefined;
  }
}

function isType(node: Node): boolean {
  return node.type === 'TSImportType' || node['importKind'] === 'type' || node['exportKind'] === 'type';
}

function readsEnvironment(node: Node): boolean {
  if (node.type === 'ImportDeclaration') {
    // import { env } from 'node:process'
    return isNode(node['source']) && /^(node:)?process$/.test(String(node['source']['value']));
  }
  if (node.type !== 'MemberExpression' || !isNode(node['object']) || !isNode(node['property'])) return false;
  return node['object']['name'] === 'process' && (node['property']['name'] ?? node['property']['value']) === 'env';
}

function isDefaultExport(node: Node): boolean {
  if (node.type === 'ExportDefaultDeclaration') return true;
  return node.type === 'ExportSpecifier' && isNode(node['exported']) && node['exported']['name'] === 'default';
}

/** The text of an identifier, a literal or a piece of a template; empty for anything else. */
function wordOf(node: Node): string {
  if (node.type === 'Identifier') return String(node['name']);
  if (node.type === 'Literal') return String(node['value']);
  if (node.type === 'TemplateElement') return JSON.stringify(node['value']);
  return '';
}

function nodesOf(file: string, text: string): Node[] {
  const nodes: Node[] = [];
  const visit = (value: unknown): void => {
    if (Array.isArray(value)) value.forEach(visit);
    else if (typeof value === 'object' && value !== null) {
      if (isNode(value)) nodes.push(value);
      Object.values(value).forEach(visit);
    }
  };
  visit(parseAst(text, { lang: 'ts' }, file));
  return nodes;
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string';
}
