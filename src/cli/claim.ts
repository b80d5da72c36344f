/** `agent-smith claim PROJECT TICKET`: the same claim as a poll or a webhook makes, by hand and at once. */

import { claimOnce } from '../app/claim-once.ts';
import { adviceOn } from '../claims/claim-advice.ts';
import { type ClaimOutcome, describeOutcome } from '../claims/claim-outcome.ts';
import type { Environment } from '../config/expand.ts';
import { explainReason } from '../domain/eligibility.ts';
import { DEFAULT_TIMING } from '../domain/timing.ts';
import { openConfig } from './open-config.ts';
import { pickTicket } from './pick-ticket.ts';
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
  const { file, config } = await openConfig(options);
  const { ticketId } = pickTicket(config, file, project, options.ticket);
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
  const lines = [
    `${describeOutcome(outcome)}${run}${why === '' ? '' : `: ${why}`}`,
    ...(outcome.kind === 'claimed' ? [] : [`next: ${adviceOn(outcome)}`]),
  ];
  return lines.map(printable).join('\n');
}
