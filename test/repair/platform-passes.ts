/** The platform pass as tests want it: with the real look through a source, and every source's turn at each pass. */
import {
  createOrphanedLabels,
  type OrphanedLabelsDeps,
  type OrphanedLabelsOptions,
} from '../../src/repair/orphaned-labels.ts';
import { createPlatformPass, type PlatformPassDeps } from '../../src/repair/platform-pass.ts';
import type { Pass } from '../../src/repair/repair.ts';

export type PassDeps = OrphanedLabelsDeps &
  Omit<PlatformPassDeps, 'lookThrough' | 'incarnation'> &
  Partial<Pick<PlatformPassDeps, 'incarnation'>>;

export function openPlatformPass(deps: PassDeps, options: OrphanedLabelsOptions): Pass {
  const lookThrough = createOrphanedLabels(deps, options);
  return createPlatformPass({ incarnation: () => 'first', ...deps, lookThrough }, { platformPassMs: 0 });
}
