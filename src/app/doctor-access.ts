/**
 * What each credential may do with the tickets of each project: asked once for each source and credential, all at the
 * same time but for a bound on each credential. Writes nothing.
 */

import type { Project } from '../domain/project.ts';
import { sourceKey } from '../domain/ticket.ts';
import { messageOf, unreachable } from '../foundation/errors.ts';
import { type AccessFact, type Call, PlatformError } from '../platforms/contract.ts';
import type { CheckState, DoctorCheck } from './doctor-check.ts';
import { adviceFor } from './doctor-network.ts';
import type { KnownProjects } from './known-projects.ts';

/** Enough to be quick with a thousand projects, and no burst that a platform would punish. */
const AT_ONCE_PER_CREDENTIAL = 4;

export interface AccessDeps {
  readonly projects: Pick<KnownProjects, 'current' | 'platformOf' | 'credentialOf'>;
  readonly call: Call;
  /** After each question: how many of all are answered. */
  readonly onProgress: (answered: number, all: number) => void;
}

/** The enabled projects with one source and one credential: one question. */
interface Group {
  readonly credential: string;
  readonly projects: Project[];
}

export async function checkAccess(deps: AccessDeps): Promise<DoctorCheck[]> {
  const groups = groupsOf(deps.projects);
  const queues = Map.groupBy(groups, ({ credential }) => credential);
  const answers = new Map<Group, readonly DoctorCheck[]>();
  const work = async (queue: IterableIterator<Group>): Promise<void> => {
    for (const group of queue) {
      answers.set(group, await askFor(group, deps));
      deps.onProgress(answers.size, groups.length);
    }
  };
  const workers = [...queues.values()].flatMap((queue) => {
    // One iterator for all of them: each group is taken once.
    const shared = queue.values();
    return Array.from({ length: AT_ONCE_PER_CREDENTIAL }, () => work(shared));
  });
  await Promise.all(workers);
  return groups.flatMap((group) => answers.get(group) ?? []);
}

function groupsOf(projects: AccessDeps['projects']): Group[] {
  const groups = new Map<string, Group>();
  for (const project of projects.current().projects) {
    if (projects.platformOf(project) === undefined) continue;
    const credential = projects.credentialOf(project);
    const key = `${credential} ${sourceKey(project.source)}`;
    const group = groups.get(key) ?? { credential, projects: [] };
    group.projects.push(project);
    groups.set(key, group);
  }
  return [...groups.values()];
}

async function askFor(group: Group, { projects, call }: AccessDeps): Promise<DoctorCheck[]> {
  const [first] = group.projects;
  const platform = first === undefined ? undefined : projects.platformOf(first);
  const subject = group.projects.map(({ name }) => name).join(', ');
  try {
    const facts = (await platform?.checkAccess(call)) ?? [];
    return facts.map((fact) => checkOf(subject, fact));
  } catch (error) {
    if (!(error instanceof PlatformError)) throw error;
    const state = error.kind === 'rate-limited' ? 'warning' : 'problem';
    return [{ subject, check: 'reachable', state, text: messageOf(error), advice: adviceFor(error) }];
  }
}

function checkOf(subject: string, { right, granted, evidence, advice }: AccessFact): DoctorCheck {
  return { subject, check: right, state: stateOf(granted), text: evidence, ...(advice !== undefined && { advice }) };
}

function stateOf(granted: AccessFact['granted']): CheckState {
  switch (granted) {
    case 'yes':
      return 'ok';
    case 'no':
      return 'problem';
    case 'unknown':
      return 'unknown';
    default:
      return unreachable(granted);
  }
}
