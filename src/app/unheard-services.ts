/**
 * Services that have not heard of the end of a run, as work that goes on without a worker: to end it is to tell them. What the
 * message needs is on the run's record and in the configuration of today, which alone knows the secrets.
 *
 * A service that does not answer is asked again, after pauses that double, for a day.
 */
import type { Config } from '../config/config.ts';
import { isTerminal, type Run } from '../domain/run.ts';
import type { Timing } from '../domain/timing.ts';
import type { DetachedWork } from '../repair/leftover-work.ts';
import type { RunReader } from '../runs/run-reader.ts';
import type { UnheardEnds } from '../runs/unheard-ends.ts';
import { type EndNotice, tellOfEnd } from '../worker/runners/http/end-notice.ts';

export interface UnheardServicesDeps {
  readonly config: () => Pick<Config, 'openPipeline'>;
  readonly unheard: UnheardEnds;
  readonly runs: Pick<RunReader, 'get'>;
  /** Redis TIME, ms. */
  readonly timeMs: () => Promise<number>;
}

export type UnheardServicesOptions = Pick<Timing, 'httpNoticeMs' | 'httpEndGiveUpMs' | 'reconcileScanMs'>;

/** Told in one pass: each may take `httpNoticeMs`. */
const MOST_AT_ONCE = 10;

export function listUnheardServices(
  { config, unheard, runs, timeMs }: UnheardServicesDeps,
  options: UnheardServicesOptions,
): (signal: AbortSignal) => Promise<DetachedWork[]> {
  const tell = async (run: string, notice: EndNotice | string, ageMs: number, signal: AbortSignal): Promise<void> => {
    const within = AbortSignal.any([signal, AbortSignal.timeout(options.httpNoticeMs)]);
    const why = typeof notice === 'string' ? notice : await tellOfEnd(notice, within);
    if (why === undefined) return await unheard.forget(run);
    await unheard.later(run, Math.max(ageMs, options.reconcileScanMs));
    throw new Error(`its service was perhaps not told: ${why}`);
  };

  /** Undefined: there is nobody to tell, or nobody who listens. */
  const workOf = (run: Run | undefined, nowMs: number, signal: AbortSignal): DetachedWork | undefined => {
    if (run === undefined || !isTerminal(run.state)) return undefined;
    const ageMs = nowMs - (run.endedAtMs ?? 0);
    const notice = noticeOf(run, config());
    if (ageMs > options.httpEndGiveUpMs || notice === undefined) return undefined;
    return {
      run: run.id,
      name: `what a service does for ${run.display}`,
      async end() {
        await tell(run.id, notice, ageMs, signal);
        return { kind: 'ended' };
      },
    };
  };

  return async (signal) => {
    const [ids, nowMs] = await Promise.all([unheard.due(MOST_AT_ONCE), timeMs()]);
    const found = await Promise.all(
      ids.map(async (id) => {
        const work = workOf(await runs.get(id), nowMs, signal);
        if (work === undefined) await unheard.forget(id);
        return work;
      }),
    );
    return found.filter((work) => work !== undefined);
  };
}

/** A text says why the pipeline cannot be opened today; undefined when no service does its work. */
function noticeOf(run: Run, config: Pick<Config, 'openPipeline'>): EndNotice | string | undefined {
  const opened = config.openPipeline(run.policy ?? '');
  if (!opened.ok) return opened.problem;
  const { work } = opened.spec;
  if (work.runner !== 'http') return undefined;
  const { id, attempt, attemptFence: fence, project, pipeline = '', platform, endedAtMs = 0 } = run;
  const ticket = { key: run.ticket, id: run.ticketId, url: run.url };
  return {
    http: work,
    ended: { run: id, attempt, fence, project, pipeline, platform, ticket },
    because: run.state === 'cancelled' ? 'cancelled' : 'given-up',
    at: new Date(endedAtMs),
  };
}
