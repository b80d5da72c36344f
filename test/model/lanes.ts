/**
 * Many sequences at once on one Redis: each lane draws its own from a seed of its own, one after the other, and shrinks the
 * first that breaks; the others end then. While one waits for Redis the others go on.
 */
import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import type { RedisConnection } from '../../src/redis/connection.ts';
import { playSequence, SequenceBroken } from './sequence.ts';
import { inWords, type Step, sequences } from './steps.ts';

export interface LanesOptions {
  readonly seed: number;
  readonly sequences: number;
  /** Most steps of one. */
  readonly length: number;
  readonly lanes: number;
  /** Goes to one counterexample at once: the path that an earlier run told. */
  readonly path?: string | undefined;
  readonly onSequence?: (steps: number) => void;
}

export interface Outcome {
  readonly sequences: number;
  /** Made, not drawn. */
  readonly steps: number;
  readonly broken: readonly Counterexample[];
}

export interface Counterexample {
  readonly seed: number;
  readonly path: string;
  readonly steps: readonly Step[];
  readonly message: string;
}

export const LENGTH = 150;

export async function runLanes(redis: RedisConnection, options: LanesOptions): Promise<Outcome> {
  let drawn = 0;
  let made = 0;
  /** Lanes of other runs on the same Redis must not meet ours. */
  const name = randomBytes(6).toString('hex');
  let worlds = 0;
  /** The lane whose sequence broke first: it alone goes on, to shrink it. */
  let shrinking: number | undefined;
  const lane = async (index: number): Promise<Counterexample | undefined> => {
    const seed = options.seed + index;
    const numRuns = Math.ceil((options.sequences - index) / options.lanes);
    if (numRuns <= 0) return undefined;
    const property = fc.asyncProperty(sequences(options.length), async (steps) => {
      if (shrinking !== undefined && shrinking !== index) return;
      worlds += 1;
      if (shrinking === undefined) drawn += 1;
      try {
        const count = await playSequence(redis, `model-${name}-${worlds}`, steps);
        made += count;
        if (shrinking === undefined) options.onSequence?.(count);
      } catch (error) {
        shrinking ??= index;
        // One is enough to look at.
        if (shrinking === index) throw error;
      }
    });
    const details = await fc.check(property, {
      seed,
      numRuns,
      ...(options.path === undefined ? {} : { path: options.path }),
    });
    if (!details.failed) return undefined;
    const [steps = []] = details.counterexample ?? [];
    const error = details.errorInstance;
    if (!(error instanceof SequenceBroken)) throw error;
    return { seed, path: details.counterexamplePath ?? '', steps, message: error.message };
  };
  const results = await Promise.all(Array.from({ length: options.lanes }, (_, index) => lane(index)));
  return { sequences: drawn, steps: made, broken: results.filter((one) => one !== undefined) };
}

/** What a person needs: the few steps, what really happened, what is wrong, and how to see it again. */
export function report({ seed, path, steps, message }: Counterexample, length: number): string {
  return [
    'steps:',
    ...steps.map((step) => `  ${inWords(step)}`),
    'what happened:',
    message,
    `again: npm run model -- --seed ${seed} --length ${length} --path ${path}`,
  ].join('\n');
}
