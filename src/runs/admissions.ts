/**
 * Fair use: who may go into the queue, and when (PROTOCOL 3, docs/decisions/0024-admission-by-free-slots.md).
 *
 *   commit-claim --(no backlog, caps, room)---> admitted --take-turn--> taken --start-attempt--> running --> ended
 *        |                                       ^    ^                  |                         |
 *        +--> backlog of its project --(admit)---+    +---- set aside <--|------- hand-back -------+
 *                ^                                                       |
 *                +--------(admit, when it is due)---- put off <----------+ postpone-turn
 *
 * Admitted is a word of the record, `admittedAtMs`: 0 while the run waits, the time since it was admitted, and missing of a run
 * that a version without admission has queued, which is as good as admitted. It stays admitted until it ends, also over hand-backs:
 * who was at work gives up no place that it would have to wait for again. A run that cannot start gives its own up, or tickets that
 * can never be read would hold all places of their project for good; only one whose earlier attempt may be at work without a worker
 * (a Job, a service) keeps it, for that work counts. The lists are pictures of the records:
 *
 *   backlog:<project>            waits; oldest first
 *   put-off:<project>            waits, could not start the last time, and is not tried again before its time
 *   admitted:project:<name>      admitted and not ended: what the cap of the project counts
 *   admitted:pipeline:<name>     the same for the cap of the pipeline
 *   offered                      admitted, and nobody has taken its job: counts against the slots that are free
 *   set-aside                    admitted, and its job comes later: counts for the caps alone
 *
 * Invariants
 * - A run leaves the backlog only below both caps, in the script that puts it on their lists; a run that waits cannot start
 *   (start-attempt). So never more runs are at work than a cap allows, whatever dies; what was admitted before a cap was lowered
 *   still runs.
 * - A cap is the size of a set of run ids, written in the script that writes the record. Nothing is counted up or down, so no crash
 *   leaks a place; what is wrong all the same (keys that were deleted, an older version at work) tidy-admissions puts right by the
 *   records.
 * - Who asks for admission brings the caps of its own configuration, and the projects that it knows; no cap is no limit.
 * - Each replica tells how many of its slots are free; a run is admitted for one of them. The one exception is a project that has
 *   nothing at work: it may have one run on its way at any time. So no word of a replica that died can hold up another, and the
 *   first run of a project is next when a slot becomes free.
 * - Whatever could not start comes back through its backlog: so a project with thousands of tickets that nobody can read takes no
 *   more than its turn. And many such turns in a row without a start (`vain-turns:<project>`) slow it down to one now and then.
 * - While Redis recovers nothing is admitted before attempts may start: by then the lists name again what live workers run.
 *
 * A crash after `admit` and before the job leaves an admitted run without a job: the EnqueuedReconciler's business.
 */
import type { Catalog } from '../domain/project.ts';
import { isWaiting, type Run } from '../domain/run.ts';
import type { RedisConnection } from '../redis/connection.ts';
import type { Reply } from '../redis/scripts.ts';
import { type RoundCursor, readRound } from './rounds.ts';
import { decideWait, type WaitView } from './waiting.ts';

/** What a replica says of its worker. */
export interface OwnSlots {
  readonly instance: string;
  readonly free: number;
}

/** A turn whose job is to be added now. */
export interface AdmittedTurn {
  readonly run: string;
  readonly turn: number;
}

/** The projects that may be admitted from, and the caps that hold. */
export type Caps = Pick<Catalog, 'projects' | 'pipelines'>;

export interface BacklogView {
  /** Runs that wait. */
  readonly waiting: number;
  /** Those of them that could not start the last time, and are not in the line again. */
  readonly putOff: number;
  /** Runs that count towards its cap. */
  readonly admitted: number;
}

export interface TidiedAdmissions {
  /** Entries of runs that do not belong there, and runs that were missing. */
  readonly off: number;
  readonly on: number;
}

/** All of them throw `OperationError` when Redis is away. */
export interface Admissions {
  /** Tells the own free slots and admits what may go. Whoever calls it adds the jobs. */
  admit(slots: OwnSlots, caps: Caps): Promise<readonly AdmittedTurn[]>;
  /** Tells the own free slots, and nothing else. */
  tell(slots: OwnSlots): Promise<void>;
  /** This replica takes no job any more. */
  leave(instance: string): Promise<void>;
  /** By project; one without backlog and admitted runs is left out. */
  backlogs(projects: readonly string[]): Promise<ReadonlyMap<string, BacklogView>>;
  /** What a run waits for; undefined when it does not wait. */
  whyWaiting(run: Run, caps: Caps): Promise<WaitView | undefined>;
  /** One round over live runs and the lists of fair use: puts right what contradicts the records. Safe to do twice. */
  tidy(caps: Caps, cursor: RoundCursor): Promise<TidiedAdmissions>;
}

export interface AdmissionsOptions {
  readonly freeSlotsMs: number;
  readonly recoveryStartsMs: number;
  readonly startProbeMs: number;
  readonly attemptRetryMaxMs: number;
}

/** Bounds of one script: it holds up everybody else. */
const MOST_AT_ONCE = 100;
const MOST_LOOKED_PAST = 1_000;
const BATCH = 500;
/** Entries of one list that one round looks at. */
const MOST_ENTRIES = 10_000;

export function createAdmissions(redis: RedisConnection, options: AdmissionsOptions): Admissions {
  const { keys } = redis;

  /** A project that has moved to another source is there twice; what it is today comes first, and its cap is the one that holds. */
  const eachOnce = (projects: Caps['projects']): Caps['projects'] => {
    const names = new Set<string>();
    return projects.filter(({ name }) => !names.has(name) && names.add(name));
  };

  const ask = async (instance: string, free: number | '', caps: Caps | undefined): Promise<Reply> => {
    const projects = eachOnce(caps?.projects ?? []);
    return await redis.script(
      'admit',
      [keys.freeSlots, keys.incarnation, keys.offered, keys.setAside],
      [
        keys.run(''),
        instance,
        free,
        options.freeSlotsMs,
        options.recoveryStartsMs,
        MOST_AT_ONCE,
        MOST_LOOKED_PAST,
        options.startProbeMs,
        options.attemptRetryMaxMs,
        projects.length,
        ...projects.flatMap(({ name, maxParallelJobs }) => [name, maxParallelJobs ?? '']),
        ...[...(caps?.pipelines.values() ?? [])].flatMap(({ name, maxParallelJobs }) =>
          maxParallelJobs === undefined ? [] : [name, maxParallelJobs],
        ),
      ],
    );
  };

  const tidyIds = async (list: string, isOurs: boolean, ids: readonly string[]): Promise<TidiedAdmissions> => {
    const sum = { off: 0, on: 0 };
    for (let at = 0; at < ids.length; at += BATCH) {
      const batch = ids.slice(at, at + BATCH);
      const [, off, on] = await redis.script('tidy-admissions', [list], [keys.run(''), isOurs ? '1' : '0', ...batch]);
      sum.off += Number(off);
      sum.on += Number(on);
    }
    return sum;
  };

  const idsIn = (list: string): Promise<string[]> =>
    readRound(redis, list, { next: undefined }, { most: MOST_ENTRIES });
  const members = (list: string): Promise<string[]> => redis.read('read list', (client) => client.smembers(list));

  return {
    async admit({ instance, free }, caps) {
      const [kind, turns] = await ask(instance, free, caps);
      return kind === 'admitted' && Array.isArray(turns) ? pairsOf(turns) : [];
    },
    async tell({ instance, free }) {
      await ask(instance, free, undefined);
    },
    async leave(instance) {
      await ask(instance, '', undefined);
    },
    backlogs: (projects) =>
      redis.read('count backlogs', async (client) => {
        const counted = await Promise.all(
          projects.map(async (project): Promise<[string, BacklogView]> => {
            const [inLine, putOff, admitted] = await Promise.all([
              client.zcard(keys.backlog(project)),
              client.zcard(keys.putOff(project)),
              client.scard(keys.admitted('project', project)),
            ]);
            return [project, { waiting: inLine + putOff, putOff, admitted }];
          }),
        );
        return new Map(counted.filter(([, { waiting, admitted }]) => waiting + admitted > 0));
      }),
    async whyWaiting(run, caps) {
      if (!isWaiting(run)) return undefined;
      const pipeline = run.pipeline ?? '';
      const project = caps.projects.find(({ name }) => name === run.project);
      const nowMs = await redis.timeMs();
      return await redis.read('read admission', async (client) => {
        const [ahead, dueMs, inLine, putOff, ofProject, ofPipeline, [vainTurns, nextMs]] = await Promise.all([
          client.zrank(keys.backlog(run.project), run.id),
          client.zscore(keys.putOff(run.project), run.id),
          client.zcard(keys.backlog(run.project)),
          client.zcard(keys.putOff(run.project)),
          client.scard(keys.admitted('project', run.project)),
          client.scard(keys.admitted('pipeline', pipeline)),
          client.hmget(keys.vainTurns(run.project), 'times', 'nextMs'),
        ]);
        return decideWait({
          // Behind everybody while it is put off: all of them may be admitted before.
          position: dueMs === null ? (ahead ?? 0) + 1 : inLine + putOff,
          waiting: inLine + putOff,
          isKnown: project !== undefined,
          isRecovering: redis.recoveringMs(options.recoveryStartsMs) > 0,
          putOffMs: Math.max(0, Number(dueMs ?? 0) - nowMs),
          vainTurns: typeof nextMs === 'string' ? Number(vainTurns) : 0,
          project: { name: run.project, admitted: ofProject, cap: project?.maxParallelJobs },
          pipeline: { name: pipeline, admitted: ofPipeline, cap: caps.pipelines.get(pipeline)?.maxParallelJobs },
        });
      });
    },
    async tidy({ projects, pipelines }, cursor) {
      const backlogs = projects.flatMap(({ name }) => [keys.backlog(name), keys.putOff(name)]);
      const sets = [
        ...projects.map(({ name }) => keys.admitted('project', name)),
        ...[...pipelines.keys()].map((name) => keys.admitted('pipeline', name)),
        keys.offered,
        keys.setAside,
      ];
      const queued = keys.runs('queued');
      const running = keys.runs('running');
      const found = await Promise.all([
        readRound(redis, queued, cursor, { most: MOST_ENTRIES }).then((ids) => ({ list: queued, isOurs: false, ids })),
        idsIn(running).then((ids) => ({ list: running, isOurs: false, ids })),
        ...backlogs.map(async (list) => ({ list, isOurs: true, ids: await idsIn(list) })),
        ...sets.map(async (list) => ({ list, isOurs: true, ids: await members(list) })),
      ]);
      const sum = { off: 0, on: 0 };
      for (const { list, isOurs, ids } of found) {
        const { off, on } = await tidyIds(list, isOurs, ids);
        sum.off += off;
        sum.on += on;
      }
      return sum;
    },
  };
}

function pairsOf(turns: readonly string[]): AdmittedTurn[] {
  const pairs: AdmittedTurn[] = [];
  for (let i = 0; i + 1 < turns.length; i += 2) pairs.push({ run: turns[i] ?? '', turn: Number(turns[i + 1]) });
  return pairs;
}
