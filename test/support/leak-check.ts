/**
 * A timer, connection, server or child process that outlives the tests of a file fails that file. What lives before the
 * file loads belongs to the runner and is not counted; what is about to close gets a moment to close.
 */
import { afterAll } from 'vitest';

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
const CLOSING_TIME_MS = 2_000;
const PAUSE_MS = 10;

const before = countActive();
// The runner has timers too, but short ones: none of them is still there after the closing time.
before.delete('Timeout');

// The first to be registered, so the last to run: after the clean-up of the file itself.
afterAll(async () => {
  const deadline = performance.now() + CLOSING_TIME_MS;
  while (leaks().length > 0 && performance.now() < deadline) {
    await new Promise((resolve) => {
      setTimeout(resolve, PAUSE_MS);
    });
  }
  const left = leaks();
  if (left.length > 0) {
    throw new Error(
      `left open by this file: ${left.join(', ')} ("npx vitest run --detectAsyncLeaks <file>" shows where)`,
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
