/** Everything that is checked before anything is built: variables, shape, sources, rules across sections. */
import type { TicketSource } from '../domain/ticket.ts';
import type { TicketsConfig } from '../platforms/descriptor.ts';
import { checkSchema, descriptorOf, mappingAt } from './check-schema.ts';
import { crossCheck, type Facts } from './cross-checks.ts';
import type { ConfigDocument } from './document.ts';
import { type Environment, expand } from './expand.ts';
import { formatPath, type Problem } from './problems.ts';

/** The facts hold what was well formed; without problems that is everything. Problems have no line yet. */
export function checkFile(document: ConfigDocument, env: Environment): { facts: Facts; problems: readonly Problem[] } {
  const { tree, problems: unset, uses } = expand(document.tree, env);
  const broken = unset.map((problem) => problem.path);
  const { file, tickets, problems: misshapen } = checkSchema(tree, broken);
  const { sources, problems: unresolved } = resolveSources(tree);
  const projects = document.keysAt(['projects']).filter((name) => file.projects[name] !== undefined);
  const facts: Facts = { document, tree, file, uses, projects, tickets, sources };
  const known = new Set([...unset, ...misshapen].map(({ path }) => formatPath(path)));
  const news = unresolved.filter(({ path }) => !known.has(formatPath(path)));
  return { facts, problems: [...unset, ...misshapen, ...news, ...crossCheck(facts)] };
}

/** Also of sections with another problem, as far as their texts go. */
function resolveSources(tree: unknown): {
  sources: ReadonlyMap<string, TicketSource>;
  problems: readonly Problem[];
} {
  const sources = new Map<string, TicketSource>();
  const problems: Problem[] = [];
  for (const [name, project] of Object.entries(mappingAt(tree, 'projects'))) {
    const source = descriptorOf(project)?.resolveSource(textsOf(mappingAt(project, 'tickets')));
    if (source === undefined) continue;
    if ('problem' in source) {
      problems.push({ path: ['projects', name, 'tickets', source.key], message: source.problem });
    } else {
      sources.set(name, source);
    }
  }
  return { sources, problems };
}

function textsOf(section: Readonly<Record<string, unknown>>): TicketsConfig {
  return Object.fromEntries(Object.entries(section).filter(([, value]) => typeof value === 'string' && value !== ''));
}
