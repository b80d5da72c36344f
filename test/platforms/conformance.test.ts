/**
 * What every platform must do alike, as one suite over all of them: this page is its table of contents. A platform takes
 * part by its folder; what it cannot do it declares, and is then tested for refusing it.
 */
import { describe, expect, test } from 'vitest';
import { PLATFORMS } from '../../src/platforms/registry.ts';
import { access } from './conformance/access.ts';
import { actors } from './conformance/actors.ts';
import { comments } from './conformance/comments.ts';
import { cost } from './conformance/cost.ts';
import { errors } from './conformance/errors.ts';
import { listing } from './conformance/listing.ts';
import { lostWrites } from './conformance/lost-writes.ts';
import { missedDeliveries } from './conformance/missed-deliveries.ts';
import { moving } from './conformance/moving.ts';
import { ownWrites } from './conformance/own-writes.ts';
import { people } from './conformance/people.ts';
import { reading } from './conformance/reading.ts';
import { type At, allRuns, FOLDERS, filesOf, type Run, useStage } from './conformance/stages.ts';
import { webhooks } from './conformance/webhooks.ts';

const SECTIONS: Readonly<Record<string, (at: At, run: Run) => void>> = {
  listing,
  reading,
  'moving the lifecycle label': moving,
  'people at the same time': people,
  'writes that go wrong': lostWrites,
  'the comment': comments,
  'who set a label': actors,
  rights: access,
  errors,
  webhooks,
  'our own writes as deliveries': ownWrites,
  'missed deliveries': missedDeliveries,
  cost,
};

const runs = await allRuns();

test.each(FOLDERS)('%s takes part: in the registry, with a profile and a stage', (slug) => {
  const descriptor = PLATFORMS.find((platform) => platform.slug === slug);
  expect(descriptor, `src/platforms/registry.ts lacks ${slug}`).toBeDefined();
  expect(filesOf(slug), `src/platforms/${slug} has no profile`).toContain('profile.md');
  expect(
    runs.filter((run) => run.slug === slug),
    `test/platforms/${slug}/conformance-stage.ts exports no open...Stage`,
  ).not.toEqual([]);
});

describe.each(runs)('$name', (run) => {
  const at = useStage(run.open);
  describe.each(Object.entries(SECTIONS))('%s', (_, section) => {
    section(at, run);
  });
});
