import { expect, test } from 'vitest';
import { ClusterError, type Watch } from '../../../../src/worker/runners/kubernetes/cluster.ts';
import { createRetry } from '../../../../src/worker/runners/kubernetes/retry.ts';
import { untilChange } from '../../../../src/worker/runners/kubernetes/until-change.ts';

const PACE = { clusterRetryMs: 1, clusterRetryMaxMs: 5, clusterWatchMs: 1_000, clusterQuietMs: 1_000 };

/** A list whose watches do, one after the other, what the test says; further ones wait until they are ended. */
function scripted(...acts: readonly ((watch: Watch) => Promise<void> | void)[]) {
  const opened: string[] = [];
  const watch = async (asked: Watch): Promise<void> => {
    const act = acts[opened.length];
    opened.push(asked.resourceVersion);
    if (act !== undefined) return await act(asked);
    await new Promise((_resolve, reject) => {
      asked.signal.addEventListener('abort', () => reject(new ClusterError('unavailable', 'aborted')));
    });
  };
  return { opened, list: { resourceVersion: '10', watch } };
}

const options = (signal = new AbortController().signal) => ({ ...PACE, signal, retry: () => createRetry(PACE) });
const cut = (): never => {
  throw new ClusterError('unavailable', 'cut');
};
const change = (resourceVersion: string) => (watch: Watch) => watch.onEvent({ kind: 'change', resourceVersion });

test('a watch that was cut goes on from its last bookmark', async () => {
  const { opened, list } = scripted(
    cut,
    (watch) => {
      watch.onEvent({ kind: 'bookmark', resourceVersion: '15' });
      cut();
    },
    change('16'),
  );
  await untilChange([list], options());
  expect(opened).toEqual(['10', '10', '15']);
});

test('a watch that the server ends in order goes on, too', async () => {
  const { opened, list } = scripted(
    () => {},
    () => {},
    change('11'),
  );
  await untilChange([list], options());
  expect(opened).toEqual(['10', '10', '10']);
});

test('what can go on from nowhere ends the wait: it is listed again', async () => {
  const { opened, list } = scripted(() => {
    throw new ClusterError('expired', 'too old');
  });
  await untilChange([list], options());
  expect(opened).toEqual(['10']);
});

test('a change in one list ends the watch of the other', async () => {
  const quiet = scripted();
  await untilChange([quiet.list, scripted(change('11')).list], options());
  expect(quiet.opened).toEqual(['10']);
});

test('whoever waits may have enough of it', async () => {
  const waiting = new AbortController();
  const { list } = scripted(() => waiting.abort());
  await untilChange([list], options(waiting.signal));
  expect(waiting.signal.aborted).toBe(true);
});

test('the pauses grow up to their bound, last as long as the server asks, and are short again after an answer', async () => {
  const away: string[] = [];
  const retry = createRetry({
    clusterRetryMs: 1,
    clusterRetryMaxMs: 4,
    onAway: ({ message }) => away.push(message),
    onBack: () => away.push('back'),
  });
  const { signal } = new AbortController();
  const took = async (error: ClusterError): Promise<number> => {
    const since = performance.now();
    await retry.pause(error, signal);
    return performance.now() - since;
  };
  await took(new ClusterError('unavailable', 'first'));
  await took(new ClusterError('unavailable', 'second'));
  expect(await took(new ClusterError('unavailable', 'asked', { retryAfterMs: 60 }))).toBeGreaterThanOrEqual(59);
  retry.succeeded();
  await took(new ClusterError('unavailable', 'again'));
  expect(away).toEqual(['first', 'back', 'again']);
});
