/**
 * `npm run model -- --sequences 10000 [--seed S] [--length L] [--path P]`: random sequences of the protocol's steps on a real
 * Redis of its own, against the model, after the sequences that are known. Exit 1 and the shortest sequence that breaks it.
 */
import { randomInt } from 'node:crypto';
import { Command, InvalidArgumentError } from 'commander';
import { openEmbeddedRedis } from '../../src/cli/dev.ts';
import { messageOf } from '../../src/foundation/errors.ts';
import type { RedisConnection } from '../../src/redis/connection.ts';
import { connect } from './connect.ts';
import { KNOWN } from './known.ts';
import { LENGTH, report, runLanes } from './lanes.ts';
import { playSequence, SequenceBroken } from './sequence.ts';

const LANES = 8;
const TELL_EVERY_MS = 10_000;

interface Flags {
  readonly sequences: number;
  readonly seed: number;
  readonly length: number;
  readonly path?: string;
}

const say = (to: NodeJS.WriteStream, text: string): void => void to.write(`${text}\n`);

const whole = (text: string): number => {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new InvalidArgumentError('a whole number, please');
  return value;
};

/** The known sequences; in words what is wrong with the first that breaks. */
async function playKnown(redis: RedisConnection): Promise<string | undefined> {
  for (const { what, steps } of KNOWN) {
    try {
      await playSequence(redis, 'model-known', steps);
    } catch (error) {
      if (error instanceof SequenceBroken) return `known: ${what}\n${error.message}`;
      throw error;
    }
  }
  return undefined;
}

async function main({ sequences, seed, length, path }: Flags): Promise<boolean> {
  const startedMs = performance.now();
  const seconds = (): string => ((performance.now() - startedMs) / 1000).toFixed(1);
  const server = await openEmbeddedRedis(process.env);
  const redis = await connect(server.url);
  let played = 0;
  let steps = 0;
  const telling = setInterval(() => {
    say(process.stderr, `model: ${played} sequences, ${steps} steps, ${seconds()} s`);
  }, TELL_EVERY_MS);
  try {
    const known = path === undefined ? await playKnown(redis) : undefined;
    if (known !== undefined) {
      say(process.stdout, `${known}\nmodel: 0 sequences, 1 broken of those that are known`);
      return false;
    }
    const outcome = await runLanes(redis, {
      seed,
      sequences,
      length,
      lanes: path === undefined ? LANES : 1,
      path,
      onSequence: (count) => {
        played += 1;
        steps += count;
      },
    });
    for (const broken of outcome.broken) say(process.stdout, report(broken, length));
    say(
      process.stdout,
      `model: ${outcome.sequences} sequences, ${outcome.steps} steps, ${outcome.broken.length} broken (seed ${seed}, ${seconds()} s)`,
    );
    return outcome.broken.length === 0;
  } finally {
    clearInterval(telling);
    await redis.close();
    await server.stop();
  }
}

const command = new Command('model')
  .option('--sequences <n>', 'how many', whole, 10_000)
  .option('--seed <n>', 'of the first lane; drawn when not given', whole, randomInt(2 ** 31 - LANES))
  .option('--length <n>', 'most steps of one sequence', whole, LENGTH)
  .option('--path <path>', 'of one counterexample, as an earlier run told it')
  .parse();

try {
  if (!(await main(command.opts<Flags>()))) process.exitCode = 1;
} catch (error) {
  say(process.stderr, `model: ${messageOf(error)}`);
  process.exitCode = 1;
}
