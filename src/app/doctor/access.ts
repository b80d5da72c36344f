/**
 * What each credential may do with the tickets of each project, and how the hooks of its source are: asked once for each source and credential, all at the
 * same time but for a bound on each credential. Writes nothing.
 */

import { groupBySource, namesIn, type SourceGroup } from '../../domain/source-groups.ts';
import { messageOf, unreachable } from '../../foundation/errors.ts';
import { type AccessFact, type Call, PlatformError } from '../../platforms/contract.ts';
import { ENOUGH_SILENCE } from '../inquiry/plan-slots.ts';
import type { KnownProjects } from '../known-projects.ts';
import type { CheckState, DoctorCheck } from './check.ts';
import { adviceFor } from './network.ts';

/** Enough to be quick with a thousand projects, and no burst that a platform would punish. */
const AT_ONCE_PER_CREDENTIAL = 4;

export interface AccessDeps {
  readonly projects: Pick<KnownProjects, 'current' | 'platformOf' | 'credentialOf'>;
  /** What else there is to say of a group whose platform answers. */
  readonly checkHooks: (group: SourceGroup) => Promise<readonly DoctorCheck[]>;
  readonly call: Call;
  /** After each question: how many of all are answered. */
  readonly onProgress: (answered: number, all: number) => void;
}

export async function checkAccess(deps: AccessDeps): Promise<DoctorCheck[]> {
  const { current, platformOf, credentialOf } = deps.projects;
  const open = current().projects.filter((project) => platformOf(project) !== undefined);
  const groups = groupBySource(open, credentialOf);
  const checks = new Map<SourceGroup, readonly DoctorCheck[]>();
  const askAll = async (queue: readonly SourceGroup[]): Promise<void> => {
    // One iterator for all workers: each group is taken once.
    const left = queue.values();
    let silent = 0;
    const work = async (): Promise<void> => {
      for (const group of left) {
        const answer = silent < ENOUGH_SILENCE ? await askFor(group, deps) : notAsked(group);
        silent = answer.heard ? 0 : silent + 1;
        checks.set(group, answer.checks);
        deps.onProgress(checks.size, groups.length);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE_PER_CREDENTIAL }, work));
  };
  await Promise.all([...Map.groupBy(groups, ({ credential }) => credential).values()].map(askAll));
  return groups.flatMap((group) => checks.get(group) ?? []);
}

interface Answer {
  readonly checks: readonly DoctorCheck[];
  /** Anybody answered, whatever it was. */
  readonly heard: boolean;
}

async function askFor(group: SourceGroup, { projects, call, checkHooks }: AccessDeps): Promise<Answer> {
  const subject = namesIn(group);
  try {
    const facts = (await projects.platformOf(group.projects[0])?.checkAccess(call)) ?? [];
    const hooks = await checkHooks(group);
    return { checks: [...facts.map((fact) => checkOf(subject, fact)), ...hooks], heard: true };
  } catch (error) {
    if (!(error instanceof PlatformError)) throw error;
    const state = error.kind === 'rate-limited' ? 'warning' : 'problem';
    const check = { subject, check: 'reachable', state, text: messageOf(error), advice: adviceFor(error) } as const;
    return { checks: [check], heard: error.kind !== 'unavailable' || error.status !== undefined };
  }
}

function notAsked(group: SourceGroup): Answer {
  const text = `not asked: of ${ENOUGH_SILENCE} others with its credential none was answered`;
  const advice = 'Put those right first, and ask again.';
  return { checks: [{ subject: namesIn(group), check: 'reachable', state: 'unknown', text, advice }], heard: false };
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
