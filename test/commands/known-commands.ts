/**
 * What may stand in a command block that everybody can follow, each held against what it calls: the scripts of the package, the
 * CLI's own definitions, the routes of the server, the chart.
 */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Command, CommanderError } from 'commander';
import { createProgram } from '../../src/cli/program.ts';
import { allMatches, pageText } from '../operations/pages.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
/** Where `emulate` is asked by people: what is sent there is tried, see documented-commands.test.ts. */
export const CONTROL = 'http://127.0.0.1:8189';
const SERVER = /^https?:\/\/(?:REPLICA|HOST|localhost|127\.0\.0\.1):8081(\/[^?]*)/;

type Check = (args: readonly string[]) => string | undefined;

/** What is wrong with a command; undefined when it is one of ours and right. */
export function problemOf([program = '', ...args]: readonly string[]): string | undefined {
  const check = CHECKS.get(program);
  return check === undefined ? `${program} is no command that everybody has: "# needs ..."` : check(args);
}

const CHECKS = new Map<string, Check>([
  ['npm', problemOfScript],
  ['agent-smith', problemOfCall],
  ['curl', problemOfRequest],
  ['helm', problemOfHelm],
  ['node', ([file = '']) => thereOrNot(file)],
  ['cp', ([from = '']) => thereOrNot(from)],
]);

const { scripts } = JSON.parse(pageText('package.json')) as { readonly scripts: Readonly<Record<string, string>> };
/** Commands of the launcher that are programs of their own, and not the CLI's. */
const PROGRAMS = new Map(
  [...pageText('scripts/launch.mjs').matchAll(/^ {2}\['([a-z]+)', \['([^']+)'/gm)].map(([, name = '', file = '']) => [
    name,
    file,
  ]),
);

function problemOfScript(args: readonly string[]): string | undefined {
  const [script = '', ...rest] = args[0] === 'run' ? args.slice(1) : args;
  if (!(script in scripts)) return `no script ${script}`;
  const given = rest[0] === '--' ? rest.slice(1) : rest;
  const file = PROGRAMS.get(script);
  if (file === undefined) return problemOfCall(script === 'agent-smith' ? given : [script, ...given]);
  // Those of a package say themselves what they take.
  if (file.startsWith('node_modules/')) return undefined;
  const text = pageText(file);
  const unknown = given.filter((word) => word.startsWith('--') && !text.includes(word));
  return unknown.length === 0 ? undefined : `${script} has no ${unknown.join(', ')}`;
}

/** Parsed by the CLI itself, with commands that do nothing. */
function problemOfCall(args: readonly string[]): string | undefined {
  try {
    silentProgram().parse([...args], { from: 'user' });
    return undefined;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? undefined : error.message;
  }
}

/** Of a command that is only mentioned: its name, and that its options exist. */
export function problemOfMention(text: string): string | undefined {
  const [name = '', ...rest] = text.split(' ');
  const options = rest.join(' ').match(/(?<![^\s[])--[a-z-]+/g) ?? [];
  const known = silentProgram().commands.find((command) => command.name() === name);
  // A placeholder (`agent-smith X`), or an option of the program itself (`--version`).
  if (name === 'X' || name === '--version' || name === '--help') return undefined;
  if (known === undefined) return `no command ${name}`;
  const unknown = options.filter((option) => !known.options.some(({ long }) => long === option));
  return unknown.length === 0 ? undefined : `${name} has no ${unknown.join(', ')}`;
}

function silentProgram(): Command {
  const program = createProgram(() => undefined);
  for (const command of [program, ...program.commands]) {
    command.configureOutput({ writeErr: () => undefined, writeOut: () => undefined });
    if (command !== program) command.action(() => undefined);
  }
  return program;
}

/** The headings of docs/api.md are the routes of the API: test/server/documented-endpoints.test.ts. */
const ROUTES = [
  ...allMatches(pageText('docs/api.md'), /^## `((?:GET|POST) [^`?]+)/gm),
  'GET /health',
  'GET /health/ready',
  'GET /metrics',
];

function problemOfRequest(args: readonly string[]): string | undefined {
  const url = args.find((word) => word.startsWith('http')) ?? '';
  if (url.startsWith(CONTROL)) return undefined;
  const [, route] = SERVER.exec(url) ?? [];
  if (route === undefined) return `curl asks neither a replica nor the emulators: ${url}`;
  const method = methodOf(args);
  return ROUTES.includes(`${method} ${route}`) ? undefined : `no route ${method} ${route}`;
}

export function methodOf(args: readonly string[]): string {
  return args[args.indexOf('-X') + 1 || Number.NaN] ?? (args.includes('-d') ? 'POST' : 'GET');
}

interface ValuesSchema {
  readonly properties?: Readonly<Record<string, ValuesSchema>>;
}

const VALUES = JSON.parse(pageText('helm/agentsmith/values.schema.json')) as ValuesSchema;

/** Every `--set a.b=` is a value of the chart, every path is there. */
export function problemOfHelm(args: readonly string[]): string | undefined {
  const sets = args.flatMap((word, index) => (word === '--set' ? [args[index + 1] ?? ''] : []));
  const isThere = (name: string): boolean =>
    name.split('.').reduce<ValuesSchema | undefined>((schema, key) => schema?.properties?.[key], VALUES) !== undefined;
  const unknown = sets.map((set) => set.split('=', 1)[0] ?? '').filter((name) => !isThere(name));
  if (unknown.length > 0) return `the chart has no ${unknown.join(', ')}`;
  return args
    .filter((word) => word.startsWith('helm/'))
    .map(thereOrNot)
    .find(Boolean);
}

export function thereOrNot(file: string): string | undefined {
  return existsSync(path.join(ROOT, file)) ? undefined : `no file ${file}`;
}
