/** `agent-smith claim PROJECT TICKET`: the same claim as a poll or a webhook makes, by hand and at once. */

import { claimOnce } from '../app/claim-once.ts';
import { type ClaimOutcome, describeOutcome } from '../claims/claim-outcome.ts';
import { configFile } from '../config/config-text.ts';
import type { Environment } from '../config/expand.ts';
import { loadConfig } from '../config/load.ts';
import { formatProblem } from '../config/problems.ts';
import { explainReason } from '../domain/eligibility.ts';
import { DEFAULT_TIMING } from '../domain/timing.ts';
import { type ExitCode, openLog, printable, UsageError } from './process.ts';

export interface ClaimCommandOptions {
  readonly file?: string | undefined;
  readonly project: string;
  readonly ticket: string;
  readonly json: boolean;
  readonly env: Environment;
  readonly cwd: string;
}

export async function claim(options: ClaimCommandOptions): Promise<ExitCode> {
  const { env, project } = options;
  const file = configFile({ flag: options.file, env, cwd: options.cwd });
  const loaded = await loadConfig({ file, env });
  if (!loaded.ok) throw new UsageError(loaded.problems.map((problem) => formatProblem(file, problem)).join('\n'));
  const { config } = loaded;
  const connection = config.connections.get(project);
  if (connection === undefined) {
    const known = [...config.connections.keys()].join(', ');
    throw new UsageError(`no project ${printable(project)} in ${file}; there are: ${known}`);
  }
  const ticketId = connection.descriptor.parseTicketId(options.ticket, connection.source);
  if (ticketId === undefined) {
    throw new UsageError(`${printable(options.ticket)} is no ticket of project ${project}: give its number or its URL`);
  }
  if (config.secrets.redisUrl() === undefined) {
    throw new UsageError('REDIS_URL is not set: a claim is recorded in the Redis of the running servers');
  }
  const { log, redactor } = openLog({ ...env, LOG_LEVEL: env.LOG_LEVEL ?? 'error' });
  const outcome = await claimOnce({ config, project, ticketId, timing: DEFAULT_TIMING, log, redactor });
  // What a platform answered is quoted in the detail, and may quote what it was sent.
  console.log(redactor.redact(options.json ? asJson(outcome) : asText(outcome)));
  return outcome.kind === 'claimed' || outcome.kind === 'already-claimed' ? 0 : 1;
}

function asJson({ kind, ...rest }: ClaimOutcome): string {
  return JSON.stringify({ outcome: kind, ...rest });
}

function asText(outcome: ClaimOutcome): string {
  const why =
    outcome.kind === 'not-eligible' ? explainReason(outcome.reason) : 'detail' in outcome ? outcome.detail : '';
  const run = 'run' in outcome ? ` (run ${outcome.run})` : '';
  return printable(`${describeOutcome(outcome)}${run}${why === '' ? '' : `: ${why}`}`);
}
