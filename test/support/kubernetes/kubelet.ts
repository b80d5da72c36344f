/**
 * One pod as a kubelet keeps it: it starts the container, asks its probes, restarts it when a probe of life fails, and ends it
 * by SIGTERM and, when the grace is over, by SIGKILL. The container is a real process (or, in the kubelet's own test, a
 * server that plays one). What a kubelet does beyond that, such as to wait before a container is started again, is left out.
 */
import { sleep } from '../../../src/foundation/loop.ts';
import type { PodPlan, ProbePlan } from './deployment-plan.ts';

export interface Container {
  readonly port: number;
  /** Resolves when the process is gone. */
  readonly ended: Promise<unknown>;
  signal(signal: 'SIGTERM' | 'SIGKILL'): void;
}

/** `killed`: its grace was over. `unstarted`, `unhealthy`: the startup or the liveness probe gave it up, so it is restarted. */
export type PodEvent =
  | 'started'
  | 'ready'
  | 'not ready'
  | 'unstarted'
  | 'unhealthy'
  | 'terminating'
  | 'killed'
  | 'ended';

export interface Pod {
  /** What happened to it, in order. */
  readonly history: readonly PodEvent[];
  /** As the readiness probe last had it. */
  readonly ready: boolean;
  /** Aborts in the moment in which it is deleted. */
  readonly deleted: AbortSignal;
  /** Throws while there is none. */
  readonly container: Container;
  /** Ends it for good; resolves when it is gone. */
  delete(): Promise<void>;
}

export interface PodOptions {
  readonly plan: PodPlan;
  readonly start: () => Promise<Container>;
  /** Called whenever it has become ready or not, or is deleted. */
  readonly onChange: () => void;
  /** Nothing is asked or started any more. */
  readonly signal: AbortSignal;
}

export function startPod({ plan, start, onChange, signal }: PodOptions): Pod {
  const history: PodEvent[] = [];
  const deleted = new AbortController();
  let ready = false;
  let current: Container | undefined;
  let ending: Promise<void> | undefined;

  const setReady = (now: boolean): void => {
    if (ready === now) return;
    ready = now;
    history.push(now ? 'ready' : 'not ready');
    onChange();
  };

  const killLate = async (container: Container, over: AbortSignal): Promise<void> => {
    if (!(await sleep(plan.graceMs, over))) return;
    history.push('killed');
    container.signal('SIGKILL');
  };
  const end = async (container: Container): Promise<void> => {
    const over = new AbortController();
    container.signal('SIGTERM');
    const killed = killLate(container, over.signal);
    await container.ended;
    over.abort();
    await killed;
  };

  /** Resolves with the verdict that ends the container; undefined when none does. Readiness is asked until it is gone. */
  const judge = async (container: Container, gone: AbortSignal): Promise<PodEvent | undefined> => {
    // Whoever has to end is not judged any more, but still asked whether it takes requests.
    const judged = AbortSignal.any([gone, deleted.signal]);
    for await (const isFine of verdicts(plan.startup, container.port, judged)) {
      if (!isFine) return 'unstarted';
      break;
    }
    if (judged.aborted) return undefined;
    void (async () => {
      for await (const isFine of verdicts(plan.readiness, container.port, gone)) setReady(isFine);
    })();
    for await (const isFine of verdicts(plan.liveness, container.port, judged)) if (!isFine) return 'unhealthy';
    return undefined;
  };

  /** One life of the container. Resolves with whether there is to be another one. */
  const live = async (): Promise<boolean> => {
    const container = await start();
    current = container;
    ending = deleted.signal.aborted ? end(container) : undefined;
    history.push('started');
    const gone = new AbortController();
    const over = container.ended.then(() => gone.abort());
    const verdict = await judge(container, AbortSignal.any([gone.signal, signal]));
    if (verdict !== undefined) {
      history.push(verdict);
      ending ??= end(container);
    }
    await over;
    setReady(false);
    history.push('ended');
    return verdict !== undefined && !deleted.signal.aborted && !signal.aborted;
  };
  const lives = (async () => {
    while (await live());
  })();

  return {
    history,
    deleted: deleted.signal,
    get ready() {
      return ready;
    },
    get container() {
      if (current === undefined) throw new Error('the container is not started yet');
      return current;
    },
    async delete() {
      history.push('terminating');
      deleted.abort();
      onChange();
      if (current !== undefined) ending ??= end(current);
      await Promise.all([ending, lives]);
    },
  };
}

/** Each verdict when it is first reached: so many answers of one kind in a row. Ends with the signal. */
async function* verdicts(probe: ProbePlan, port: number, signal: AbortSignal): AsyncGenerator<boolean> {
  let last: boolean | undefined;
  let inRow = 0;
  do {
    const isFine = await ask(probe, port);
    if (signal.aborted) return;
    inRow = isFine === last ? inRow + 1 : 1;
    last = isFine;
    if (inRow === (isFine ? probe.successes : probe.failures)) yield isFine;
  } while (await sleep(probe.periodMs, signal));
}

/** On a connection of its own, as a kubelet does: no answer is as good as a bad one. */
async function ask({ path, timeoutMs }: ProbePlan, port: number): Promise<boolean> {
  try {
    const signal = AbortSignal.timeout(timeoutMs);
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, { signal, headers: { connection: 'close' } });
    await answer.text();
    return answer.status >= 200 && answer.status < 400;
  } catch {
    return false;
  }
}
