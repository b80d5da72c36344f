/** All platforms at once: an emulator of each, and one house on real Redis that watches them all. */
import type { Project } from '../../src/domain/project.ts';
import { DEFAULT_TIMING } from '../../src/domain/timing.ts';
import type { TicketPlatform } from '../../src/platforms/contract.ts';
import type { Run } from '../platforms/conformance/stages.ts';
import type { ConformanceStage } from '../platforms/conformance-stage.ts';
import { catalogOf, openRooms, plainPipeline, type Rooms } from './house.ts';
import { watch } from './watched-source.ts';

/** What stands in one place of the town: `jira`, `jira (data center)`. */
export interface Place {
  readonly stage: ConformanceStage;
  /** `agent-smith` leads to `fix-bug`, but `security-review` stands before it and leads to `security-scan`. */
  readonly project: Project;
  /** On the same source: `guarded` leads to `fix-bug`, and only `stage.person` may set it. */
  readonly guarded: Project;
}

export interface Town extends AsyncDisposable {
  readonly rooms: Rooms;
  /** In the order of the runs. */
  readonly places: readonly Place[];
  placeOf(run: Run): Place;
}

export interface TownOptions {
  readonly redisUrl: string;
  /** Between polls; a minute. */
  readonly intervalMs?: number;
}

/** Protocol time is that of production: nothing here waits for it to pass. */
export async function openTown(runs: readonly Run[], { redisUrl, intervalMs = 60_000 }: TownOptions): Promise<Town> {
  const places = new Map<string, Place>();
  for (const { name, open } of runs) places.set(name, placeAt(name, await open(), intervalMs));
  const all = [...places.values()];
  const platforms = new Map<string, TicketPlatform>(
    all.flatMap(({ stage, project, guarded }) => [
      [project.name, stage.platform],
      [guarded.name, stage.platform],
    ]),
  );
  const platformOf = ({ name }: Project): TicketPlatform => {
    const platform = platforms.get(name);
    if (platform === undefined) throw new Error(`no project ${name} in this town`);
    return platform;
  };
  const catalog = catalogOf(
    all.flatMap(({ project, guarded }) => [project, guarded]),
    [plainPipeline('fix-bug'), plainPipeline('security-scan')],
  );
  const rooms = await openRooms(catalog, platformOf, { redisUrl, timing: DEFAULT_TIMING });
  return {
    rooms,
    places: all,
    placeOf({ name }) {
      const place = places.get(name);
      if (place === undefined) throw new Error(`${name} is not in this town`);
      return place;
    },
    async [Symbol.asyncDispose]() {
      await rooms.close();
      for (const { stage } of all) await stage[Symbol.asyncDispose]();
    },
  };
}

function placeAt(name: string, stage: ConformanceStage, intervalMs: number): Place {
  const { source, tickets, descriptor } = watch(stage.project);
  const shared = {
    source,
    code: { type: descriptor.type, url: tickets.url ?? source.apiUrl },
    triggers: new Set(['poll', 'webhook', 'manual', 'reconcile'] as const),
  };
  return {
    stage,
    project: {
      ...shared,
      name,
      routing: {
        pipelineFromLabel: new Map([
          ['security-review', 'security-scan'],
          ['agent-smith', 'fix-bug'],
        ]),
        defaultPipeline: 'fix-bug',
      },
      polling: { intervalMs, jitterPercent: 0 },
    },
    guarded: {
      ...shared,
      name: `${name}, guarded`,
      routing: { pipelineFromLabel: new Map([['guarded', 'fix-bug']]), allowedActors: [stage.person] },
    },
  };
}
