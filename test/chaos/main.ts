/**
 * `npm run chaos`: real replicas, real Redis and the four emulated trackers under faults from a seed. Exit 1 when a
 * promise was broken; the last lines say how to see the same again.
 */
import { Command, InvalidArgumentError, Option } from 'commander';
import { execa } from 'execa';
import { openLog } from '../../src/cli/process.ts';
import { messageOf } from '../../src/foundation/errors.ts';
import { addToCampaign, type CampaignOptions, lineOf, runCampaign } from './campaign.ts';
import { describeProofs, proveHarness } from './prove.ts';
import { describeCampaign } from './record.ts';
import { findServer } from './redis-server.ts';
import { describeResult, isGood } from './report.ts';
import { runChaos } from './run.ts';
import { type ChaosSettings, FAULT_KINDS, type FaultKind } from './settings.ts';
import { describeStoppedWorkers, isGoodStoppedWorkers, stoppedWorkers } from './stopped-workers.ts';

const whole = (text: string): number => {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1) throw new InvalidArgumentError('expected a whole number above 0');
  return number;
};
const positive = (text: string): number => {
  const number = Number(text);
  if (!(number > 0)) throw new InvalidArgumentError('expected a number above 0');
  return number;
};
const kinds = (text: string): FaultKind[] => {
  const names = text.split(',');
  const unknown = names.find((name) => !FAULT_KINDS.some((kind) => kind === name));
  if (unknown !== undefined)
    throw new InvalidArgumentError(`no faults ${unknown}: there are ${FAULT_KINDS.join(', ')}`);
  return FAULT_KINDS.filter((kind) => names.includes(kind));
};

/** What came of it. */
const say = (text: string): void => void process.stdout.write(`${text}\n`);
/** What happens meanwhile. */
const report = (text: string): void => void process.stderr.write(`${text}\n`);
const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupted.abort());

type Flags = Omit<ChaosSettings, 'without' | 'report'> & { readonly without: readonly string[] };

const program = new Command('npm run chaos --')
  .description('Hurts a whole deployment in every way and shows that no ticket is lost and none runs twice at once.')
  .option('--tickets <n>', 'tickets that people open', whole, 200)
  .option('--replicas <n>', 'replicas', whole, 3)
  .option('--seed <n>', 'chooses everything that is left to chance', whole, Math.ceil(Math.random() * 1_000_000))
  .addOption(
    new Option('--faults <kinds>', `of ${FAULT_KINDS.join(',')}`).argParser(kinds).default([...FAULT_KINDS], 'all'),
  )
  .option('--scale <x>', "factor on the protocol's durations; 1 = as in production", positive, 0.05)
  .option('--pace <n>', 'tickets per second', positive, 10)
  .option('--calm <x>', 'factor on the quiet between two faults', positive, 1)
  .option('--long <x>', 'share of the commands that work for long', positive, 0.1)
  .option('--longest <x>', 'how long at most, in lives of a heartbeat', positive, 2)
  .option('--record <file>', 'add the run to this file, as a campaign does')
  .addOption(
    new Option('--without <guards>', 'take these guards out, to see that the harness notices')
      .argParser((text) => text.split(','))
      .default([], 'none'),
  )
  .action(async ({ record, ...flags }: Flags & { readonly record?: string }) => {
    const settings: ChaosSettings = { ...flags, report };
    const result = await runChaos(settings, await findServer(report), interrupted.signal);
    for (const line of describeResult(result, settings)) say(line);
    if (record !== undefined) await addToCampaign(record, lineOf(result, settings, await version()));
    process.exitCode = isGood(result) ? 0 : 1;
  });

program
  .command('campaign')
  .description(
    'Plays seed after seed until so many lifecycles have been walked through; goes on where it was broken off.',
  )
  .option('--lifecycles <n>', 'the sum to reach', whole, 100_000)
  .option('--file <file>', 'one line of JSON for each run', '.cache/chaos-campaign.jsonl')
  .option('--first-seed <n>', 'of a campaign that begins', whole, 1)
  .option('--jobs <n>', 'runs side by side', whole, 2)
  .action(async (flags: Pick<CampaignOptions, 'lifecycles' | 'file' | 'firstSeed' | 'jobs'>) => {
    const server = await findServer(report);
    const lines = await runCampaign({ ...flags, server, version: await version(), report, signal: interrupted.signal });
    const bad = lines.filter(({ good }) => !good);
    for (const line of describeCampaign(lines)) say(line);
    const lifecycles = lines.reduce((sum, line) => sum + line.lifecycles, 0);
    say(`campaign: ${lifecycles} lifecycles in ${lines.length} runs, ${bad.length} bad`);
    process.exitCode = bad.length === 0 ? 0 : 1;
  });

program
  .command('prove')
  .description('Takes the guards of one promise after the other out: some seed of the short form has to notice each.')
  .option('--guards <names>', 'only the promises that one of these keeps', (text) => text.split(','))
  .option('--seeds <n>', 'seeds that are tried for each', whole, 5)
  .option('--jobs <n>', 'runs side by side', whole, 2)
  .action(async (flags: { readonly guards?: readonly string[]; readonly seeds: number; readonly jobs: number }) => {
    const server = await findServer(report);
    const proofs = await proveHarness({ ...flags, server, report, signal: interrupted.signal });
    for (const line of describeProofs(proofs)) say(line);
    process.exitCode = proofs.every(({ seed }) => seed !== undefined) ? 0 : 1;
  });

program
  .command('stopped-workers')
  .description(
    'Stops workers past their trust, has them replaced, and lets them go on: their commands are gone, and they write nothing.',
  )
  .option('--times <n>', 'workers that are stopped', whole, 200)
  .option('--scale <x>', "factor on the protocol's durations", positive, 0.1)
  .action(async (flags: { readonly times: number; readonly scale: number }) => {
    const result = await stoppedWorkers({ ...flags, report });
    result.crashes.forEach(report);
    say(describeStoppedWorkers(result));
    process.exitCode = isGoodStoppedWorkers(result) ? 0 : 1;
  });

/** The commit that is played on. */
async function version(): Promise<string> {
  const { stdout: commit } = await execa('git', ['rev-parse', '--short', 'HEAD']);
  const { stdout: changes } = await execa('git', ['status', '--porcelain', '--', 'src', 'test/chaos']);
  return changes === '' ? commit : `${commit}+`;
}

try {
  await program.parseAsync();
} catch (error) {
  openLog({ LOG_LEVEL: 'error' }).log.error({ error: messageOf(error) }, 'chaos run broken off');
  process.exitCode = 1;
}
