/** One chaos run: people and faults side by side, then peace, then the verdict. */
import { once } from 'node:events';
import { sleep } from '../../src/foundation/loop.ts';
import type { RedisServer } from '../../src/redis/embedded/redis-server.ts';
import { createChance } from './chance.ts';
import type { FaultEntry } from './chronicle.ts';
import { playFaults } from './faults/lanes.ts';
import { watchMachine } from './machine.ts';
import { createPeople } from './people.ts';
import { type ChaosSettings, timingOf } from './settings.ts';
import { judge, type Verdict } from './verdict.ts';
import { openWorld } from './world.ts';

export interface ChaosResult {
  readonly verdict: Verdict;
  readonly faults: readonly FaultEntry[];
  readonly wallMs: number;
  /** Replicas that ended although nobody had asked for it. */
  readonly crashes: readonly string[];
  /** Logs and data, when they were kept. */
  readonly dir: string | undefined;
}

const PROGRESS_MS = 5_000;
const LOOK_MS = 100;

/**
 * Ends early when the signal aborts, then the verdict says what is still open; when a replica ends by itself; and, with
 * guards taken out, as soon as a promise is broken that nothing can mend any more.
 */
export async function runChaos(
  settings: ChaosSettings,
  server: RedisServer,
  signal: AbortSignal,
): Promise<ChaosResult> {
  const startedAt = performance.now();
  const timing = timingOf(settings);
  const people = createPeople(settings, createChance(settings.seed, 'people'));
  const world = await openWorld({
    settings,
    server,
    chance: createChance(settings.seed, 'world'),
    workOf: people.workOf,
    pageOf: people.pageOf,
  });
  let keepDir = true;
  const verdictNow = (): Verdict => judge({ tickets: people.tickets(), chronicle: world.chronicle });
  const isBroken = (): boolean =>
    world.crashes.length > 0 ||
    (settings.without.length > 0 && verdictNow().problems.some(({ kind }) => kind !== 'lost'));
  const peopleGoHome = new AbortController();
  const peace = new AbortController();
  const onAbort = (): void => peace.abort();
  signal.addEventListener('abort', onAbort, { once: true });
  const progress = setInterval(() => {
    if (isBroken()) peace.abort();
    const { faults } = world.chronicle;
    settings.report(
      `${people.tickets().length} of ${settings.tickets} tickets opened, ${people.open().length} on their way, ` +
        `${faults().length} faults, ${world.witness.alive()} commands at work`,
    );
  }, PROGRESS_MS);
  try {
    const allOpened = people.begin(world.sites, world.chronicle, peopleGoHome.signal);
    const watching = watchMachine(world.chronicle, world.redis.url, settings, peopleGoHome.signal);
    const faults = playFaults(world, settings, peace.signal);
    await Promise.race([allOpened, faults, once(peace.signal, 'abort')]);
    peace.abort();
    await faults;
    settings.report('peace: everything is whole again, what is open comes to its end');
    // The slowest ways back: a platform pass, the longest back-offs, and time for a slow machine. It counts anew from each
    // ticket that comes to its end: what is lost is what nothing moves any more.
    const patienceMs = timing.platformPassMs + timing.pollBackoffMaxMs + timing.attemptRetryMaxMs + 30_000;
    let fewest = Number.POSITIVE_INFINITY;
    let movedAt = performance.now();
    while (performance.now() - movedAt < patienceMs && !signal.aborted && !isBroken()) {
      const left = people.open().length;
      if (left === 0) break;
      if (left < fewest) movedAt = performance.now();
      fewest = Math.min(fewest, left);
      await sleep(LOOK_MS, signal);
    }
    // A second run of something that has ended would show itself now.
    await sleep(timing.heartbeatTtlMs, signal);
    peopleGoHome.abort();
    await watching;
    const verdict = verdictNow();
    keepDir = verdict.problems.length > 0 || world.crashes.length > 0;
    const { dir, crashes, chronicle } = world;
    const wallMs = performance.now() - startedAt;
    return { verdict, faults: chronicle.faults(), wallMs, crashes, dir: keepDir ? dir : undefined };
  } finally {
    clearInterval(progress);
    signal.removeEventListener('abort', onAbort);
    peace.abort();
    peopleGoHome.abort();
    await world.close({ keepDir });
  }
}
