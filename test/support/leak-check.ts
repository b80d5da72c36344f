/**
 * What outlives the tests of a file fails that file: a timer, connection, server or child process, and a change to the
 * process itself, which the next file would work in. What lives before the file loads belongs to the runner and is not
 * counted; what is about to close gets a moment to close.
 */
import { afterAll, vi } from 'vitest';

/** Names as `process.getActiveResourcesInfo()` gives them. Only what keeps the process alive is listed there. */
const WATCHED = [
  'Timeout',
  'TCPSocketWrap',
  'TCPServerWrap',
  'PipeServerWrap',
  'ProcessWrap',
  'UDPWrap',
  'FSEventWrap',
];
const SIGNALS = ['SIGHUP', 'SIGINT', 'SIGTERM', 'SIGUSR1', 'SIGUSR2'] as const;
const CLOSING_TIME_MS = 2_000;
const PAUSE_MS = 10;

const before = countActive();
// The runner has timers too, but short ones: none of them is still there after the closing time.
before.delete('Timeout');
const processBefore = processState();

// The first to be registered, so the last to run: after the clean-up of the file itself.
afterAll(async () => {
  // First of all, and then given back: the pause takes real timers.
  const changed = changesOf(processState());
  vi.useRealTimers();
  const deadline = performance.now() + CLOSING_TIME_MS;
  while (leaks().length > 0 && performance.now() < deadline) {
    await new Promise((resolve) => {
      setTimeout(resolve, PAUSE_MS);
    });
  }
  const left = [...leaks(), ...changed];
  if (left.length > 0) {
    throw new Error(
      `left behind by this file: ${left.join(', ')} ("npx vitest run --detectAsyncLeaks <file>" shows where)`,
    );
  }
});

function leaks(): string[] {
  const active = countActive();
  return WATCHED.flatMap((type) => {
    const more = (active.get(type) ?? 0) - (before.get(type) ?? 0);
    return more > 0 ? [`${more} ${type}`] : [];
  });
}

function countActive(): Map<string, number> {
  const counts = new Map<string, number>();
  for (const type of process.getActiveResourcesInfo()) counts.set(type, (counts.get(type) ?? 0) + 1);
  return counts;
}

/** What a test can change and the next file would notice, by its name in the error, as texts that can be compared. */
function processState(): ReadonlyMap<string, string> {
  return new Map([
    ['a faked clock', String(vi.isFakeTimers())],
    [
      'a changed environment',
      Object.entries(process.env)
        .map((entry) => entry.join('='))
        .toSorted()
        .join('\n'),
    ],
    ['another working directory', process.cwd()],
    ['an exit code', String(process.exitCode)],
    ['signal listeners', SIGNALS.map((signal) => process.listenerCount(signal)).join()],
  ]);
}

function changesOf(after: ReadonlyMap<string, string>): string[] {
  return [...after].filter(([what, text]) => processBefore.get(what) !== text).map(([what]) => what);
}
