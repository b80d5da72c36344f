/**
 * Which platforms the suite runs on: every folder of `src/platforms`, by its stage. A folder without a stage, or one that
 * the registry does not know, fails by name; there is no list here that somebody could forget to extend.
 */
import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll } from 'vitest';
import type { ConformanceStage, OpenStage } from '../conformance-stage.ts';

const PLATFORMS_DIR = fileURLToPath(new URL('../../../src/platforms', import.meta.url));
const STAGES_DIR = fileURLToPath(new URL('..', import.meta.url));

/** Slugs of the platforms that are there. */
export const FOLDERS: readonly string[] = readdirSync(PLATFORMS_DIR, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);

export const filesOf = (slug: string): readonly string[] => readdirSync(`${PLATFORMS_DIR}/${slug}`);

export interface Run {
  /** `jira`, `jira (data center)`. */
  readonly name: string;
  readonly slug: string;
  readonly open: OpenStage;
}

/** Every run that a folder brings: one for each export `open...Stage` of its stage file. */
async function runsOf(slug: string): Promise<Run[]> {
  const file = `${STAGES_DIR}${slug}/conformance-stage.ts`;
  if (!existsSync(file)) return [];
  const stages = (await import(file)) as Readonly<Record<string, OpenStage>>;
  return Object.entries(stages).flatMap(([name, open]) => {
    const variant = /^open(.*)Stage$/.exec(name)?.[1];
    if (variant === undefined) return [];
    const words = variant.replace(/(?<=.)(?=[A-Z])/g, ' ').toLowerCase();
    return [{ name: words === '' ? slug : `${slug} (${words})`, slug, open }];
  });
}

/** Every run of every platform. */
export async function allRuns(): Promise<Run[]> {
  return (await Promise.all(FOLDERS.map(runsOf))).flat();
}

/** The stage that the tests of one run share. */
export type At = () => ConformanceStage;

/** Opened once, faults taken away after each test: tests use tickets and labels of their own, so order does not matter. */
export function useStage(open: OpenStage): At {
  let stage: ConformanceStage | undefined;
  const at: At = () => {
    if (stage === undefined) throw new Error('the stage is not open yet: use it in tests only');
    return stage;
  };
  beforeAll(async () => {
    stage = await open();
  });
  afterEach(() => stage?.server.faults.clear());
  afterAll(async () => {
    await stage?.[Symbol.asyncDispose]();
  });
  return at;
}
