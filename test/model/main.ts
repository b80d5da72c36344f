/**
 * `npm run model -- --sequences 10000 [--seed S] [--length L] [--path P]`: random sequences of the protocol's steps on a real
 * Redis of its own, against the model. Exit 1 and the shortest sequence when one of them breaks it.
 */
import { randomInt } from 'node:crypto';
import { Command, InvalidArgumentError } from 'commander';
import { openEmbeddedRedis } from '../../src/cli/dev.ts';
import { messageOf } from '../../src/foundation/errors.ts';
import { connect } from '../../bench/redis.ts';
import { LENGTH, report, runLanes } from './lanes.ts';

const LANES = 8;
const TELL_EVERY_MS = 10_000;

interface Flags {
  readonly sequences: number;
  readonly seed: number;
  readonly length: number;
  readonly path?: string;
}

const whole = (text: string): number => {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new InvalidArgumentError('a whole number, please');
  return value;
};

async function main({ sequences, seed, length, path }: Flags): Promise<boolean> {
  const startedMs = performance.now();
  const seconds = (): string => ((performance.now() - startedMs) / 1000).toFixed(1);
  const server = await openEmbeddedRedis(process.env);
  const redis = await connect(server.url, 'model');
  let played = 0;
  let steps = 0;
  const telling = setInterval(() => {
    console.error(`model: ${played} sequences, ${steps} steps, ${seconds()} s`);
  }, TELL_EVERY_MS);
  try {
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
    for (const broken of outcome.broken) console.log(report(broken, length));
    console.log(
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
  console.error(`model: ${messageOf(error)}`);
  process.exitCode = 1;
}
