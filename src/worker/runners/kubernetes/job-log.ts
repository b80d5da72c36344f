/** The end of what a pod printed, free of secrets; what could not be had is said in its place. */

import { OUTPUT_TAIL_BYTES } from '../../guard/guarded-process.ts';
import { createOutputTail } from '../../guard/output-tail.ts';
import { type ClusterCall, ClusterError, type Namespace, type SeenPod } from './cluster.ts';
import { noteInOutput } from './job-end.ts';
import { CONTAINER } from './job-words.ts';

export interface ReadTail {
  readonly text: string;
  /** It was read to its end. */
  readonly whole: boolean;
  /** Worth another try. */
  readonly again: boolean;
}

export async function readTail(
  namespace: Pick<Namespace, 'readLog'>,
  pod: SeenPod,
  { secrets, call }: { readonly secrets: readonly string[]; readonly call: ClusterCall },
): Promise<ReadTail> {
  const tail = createOutputTail({ limitBytes: OUTPUT_TAIL_BYTES, secrets });
  const write = tail.stream();
  try {
    await namespace.readLog(pod.name, CONTAINER, write, call);
    return { text: tail.finish(), whole: true, again: false };
  } catch (error) {
    if (!(error instanceof ClusterError)) throw error;
    const text = tail.finish();
    return { text: `${text}${noteInOutput(whyNot(error, text))}`, whole: false, again: error.kind === 'unavailable' };
  }
}

function whyNot(error: ClusterError, read: string): string {
  if (error.kind === 'not-found') return 'the pod and its log are gone';
  return read === ''
    ? `the log of the pod could not be read: ${error.message}`
    : `the log of the pod could not be read to its end: ${error.message}`;
}
