/**
 * All guards of the protocol, one entry each. `npm run mutants` takes them out one by one and asks the tests;
 * test/support/sabotage.mjs takes them out of a running program, for the demo and for chaos.
 */
import type { Guard } from './guard.ts';
import { ATTEMPT_GUARDS } from './list/attempt.ts';
import { CLAIM_GUARDS } from './list/claim.ts';
import { FAIR_USE_GUARDS } from './list/fair-use.ts';
import { INTAKE_GUARDS } from './list/intake.ts';
import { JOB_GUARDS } from './list/jobs.ts';
import { LABEL_GUARDS } from './list/labels.ts';
import { LEADERSHIP_GUARDS } from './list/leadership.ts';
import { LEASH_GUARDS } from './list/leash.ts';
import { REPAIR_GUARDS } from './list/repair.ts';

export const GUARDS: readonly Guard[] = [
  ...CLAIM_GUARDS,
  ...FAIR_USE_GUARDS,
  ...LEADERSHIP_GUARDS,
  ...ATTEMPT_GUARDS,
  ...LEASH_GUARDS,
  ...JOB_GUARDS,
  ...REPAIR_GUARDS,
  ...LABEL_GUARDS,
  ...INTAKE_GUARDS,
];

/**
 * The guards that a name stands for: the one of that name, or all of that name wherever they stand (`recovering` is that of
 * claims, of attempts and of leases). Throws for a name that stands for none.
 */
export function guardsNamed(name: string): readonly Guard[] {
  const named = GUARDS.filter((guard) => guard.name === name || guard.name.endsWith(`:${name}`));
  if (named.length === 0) throw new Error(`there is no guard ${name}`);
  return named;
}
