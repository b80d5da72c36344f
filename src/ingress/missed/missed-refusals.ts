/**
 * Sources whose credential may not look for missed deliveries: a deployment may well want it so. Said once for each project
 * in the life of a process, and asked again only now and then, since somebody may grant the right.
 */
import { namesIn, type SourceGroup } from '../../domain/source-groups.ts';
import { elapsedMs, type Moment, now } from '../../foundation/clock.ts';
import type { Log } from '../../foundation/log.ts';
import { PlatformError } from '../../platforms/contract.ts';

export interface MissedRefusals {
  /** Whether it was refused a short while ago. */
  has(group: SourceGroup): boolean;
  /** True when the error is a refusal. */
  note(group: SourceGroup, error: unknown): boolean;
  /** Forgets all other sources. */
  retain(groups: readonly SourceGroup[]): void;
}

const ASK_AGAIN_MS = 3_600_000;

export function createMissedRefusals(log: Log): MissedRefusals {
  const refused = new Map<string, Moment>();
  const said = new Set<string>();
  return {
    has({ key }) {
      const at = refused.get(key);
      return at !== undefined && elapsedMs(at) < ASK_AGAIN_MS;
    },
    note(group, error) {
      if (!isRefusal(error)) return false;
      refused.set(group.key, now());
      const isNews = group.projects.some(({ name }) => !said.has(name));
      for (const { name } of group.projects) said.add(name);
      const facts = { project: namesIn(group), problem: error.message };
      if (isNews) log.info(facts, 'may not ask for missed deliveries: what does not arrive is found by listings alone');
      return true;
    },
    retain(groups) {
      const keys = new Set(groups.map(({ key }) => key));
      const names = new Set(groups.flatMap(({ projects }) => projects.map(({ name }) => name)));
      for (const key of refused.keys()) if (!keys.has(key)) refused.delete(key);
      for (const name of said) if (!names.has(name)) said.delete(name);
    },
  };
}

/** The credential lacks a right, or is of a kind that never has it. */
export function isRefusal(error: unknown): error is PlatformError {
  if (!(error instanceof PlatformError)) return false;
  return error.kind === 'auth' || error.kind === 'not-found' || error.kind === 'unsupported';
}
