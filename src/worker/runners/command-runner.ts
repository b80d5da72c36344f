/**
 * Runs a command of this machine for one attempt: spawned without a shell in its own process group, under the guard.
 * The ticket comes as JSON on standard input and in AGENTSMITH_* variables; exit code 0 means done, and what came of it may
 * stand in the file that AGENTSMITH_RESULT_FILE names.
 *
 * Each attempt has a temporary folder, which holds that file and, unless the pipeline names another, the working folder:
 *
 *   agent-smith-XXXXXX/work/         empty
 *   agent-smith-XXXXXX/result.json   not there
 *
 * If the worker dies, the guard kills the group and removes that folder. Output is a socket, as
 * Node makes them: a script can write to it with `>&2`, but not open it as /dev/stderr.
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { messageOf, unreachable } from '../../foundation/errors.ts';
import type { Log } from '../../foundation/log.ts';
import { LONGEST_TIMER_MS } from '../../foundation/loop.ts';
import { createRedactor, type Redactor } from '../../foundation/redactor.ts';
import type { Guard } from '../guard/guard.ts';
import { type GuardedEnd, OUTPUT_TAIL_BYTES } from '../guard/guarded-process.ts';
import { withLastLine } from '../guard/output-tail.ts';
import { commandEnvironment, type EnvironmentSettings, type HostEnvironment } from './command-environment.ts';
import { describeTicket } from './describe-ticket.ts';
import { readResultFile } from './result-file.ts';
import type { Runner, RunnerEnd, RunnerHandle, RunnerRequest } from './runner.ts';

export interface CommandSpec extends EnvironmentSettings {
  /** A name is looked up on the PATH of the command; a path should be absolute. */
  readonly program: string;
  readonly args: readonly string[];
  /** Default: a fresh folder per attempt, removed afterwards. */
  readonly cwd?: string;
}

export interface CommandRequest extends RunnerRequest {
  readonly command: CommandSpec;
}

export interface CommandRunnerDeps {
  readonly guard: Guard;
  readonly log: Log;
  /** Knows the secrets that must not show in the output; values of `pass_env` are kept out of it as well. */
  readonly redactor: Redactor;
}

export interface CommandRunnerOptions {
  /** The environment of the server, of which commands see an allow-list. */
  readonly hostEnv: HostEnvironment;
  /** Where temporary folders are made; default: `TMPDIR`, else the system's own place. */
  readonly tempFolder?: string;
}

const TIMED_OUT = 'timed-out';

export function createCommandRunner(
  { guard, log, redactor }: CommandRunnerDeps,
  { hostEnv, tempFolder = hostEnv['TMPDIR'] ?? os.tmpdir() }: CommandRunnerOptions,
): Runner<CommandRequest> {
  const start = (request: CommandRequest): RunnerHandle => {
    const { command, run, attempt, timeoutMs } = request;
    const attemptId = `${run}/${attempt}/${request.fence}`;
    let trustedSince = request.trustedSince;
    let stopReason: string | undefined;
    const stop = (reason: string): void => {
      stopReason ??= reason;
      guard.stop(attemptId, reason);
    };

    const runIn = async (folder: string): Promise<RunnerEnd> => {
      const cwd = command.cwd ?? path.join(folder, 'work');
      const resultFile = path.join(folder, 'result.json');
      const environment = commandEnvironment(request, command, hostEnv);
      if (environment.kind === 'refused') return notStarted(environment.reason);
      try {
        if (command.cwd === undefined) await mkdir(cwd);
      } catch (error) {
        return notStarted(`No temporary working folder could be made: ${messageOf(error)}`);
      }
      // A stop may have come before the guard knew the attempt.
      if (stopReason !== undefined) return { kind: 'stopped', reason: stopReason, outputTail: '' };
      const passed = command.passEnv.map((name) => hostEnv[name] ?? '');
      const secrets = [...redactor.secrets(), ...passed];
      const { ended } = guard.start({
        attemptId,
        program: command.program,
        args: command.args,
        cwd,
        temporaryFolder: folder,
        env: { ...environment.env, AGENTSMITH_RESULT_FILE: resultFile },
        stdin: describeTicket(request),
        secrets,
        trustedSince,
      });
      const timer = setTimeout(stop, Math.min(timeoutMs, LONGEST_TIMER_MS), TIMED_OUT);
      const end = await ended;
      clearTimeout(timer);
      return await withResult(endOf(end, timeoutMs), resultFile, createRedactor(secrets).redact);
    };

    /** What a command says came of its run, if it came to an end of its own; a result that is none changes nothing. */
    const withResult = async (end: RunnerEnd, file: string, redact: (text: string) => string): Promise<RunnerEnd> => {
      if (end.kind !== 'exited' && end.kind !== 'signalled') return end;
      const read = await readResultFile(file, redact);
      if (read === undefined) return end;
      if (read.ok) return { ...end, result: read.result };
      const { problem } = read;
      log.warn({ run, attempt, problem }, 'result of the pipeline is not usable');
      return { ...end, outputTail: withLastLine(end.outputTail, `agent-smith: ${problem}`, OUTPUT_TAIL_BYTES) };
    };

    /** In a place of this attempt alone: a working folder that was configured may belong to many. */
    const runInOwnFolder = async (): Promise<RunnerEnd> => {
      let folder: string;
      try {
        folder = await mkdtemp(path.join(tempFolder, 'agent-smith-'));
      } catch (error) {
        return notStarted(`No temporary folder could be made: ${messageOf(error)}`);
      }
      const end = await runIn(folder);
      try {
        await rm(folder, { recursive: true, force: true });
      } catch (error) {
        log.warn({ run, attempt, folder, err: error }, 'temporary working folder could not be removed');
      }
      return end;
    };

    return {
      ended: runInOwnFolder(),
      beat(sentAt) {
        trustedSince = sentAt;
        guard.beat(attemptId, sentAt);
      },
      spare: (at) => guard.spare(attemptId, at),
      stop,
    };
  };
  return { leashed: true, start };
}

function notStarted(reason: string): RunnerEnd {
  return { kind: 'not-started', reason, outputTail: '' };
}

function endOf(end: GuardedEnd, timeoutMs: number): RunnerEnd {
  const { outputTail } = end;
  switch (end.kind) {
    case 'exited':
    case 'signalled':
    case 'not-started':
      return end;
    case 'stopped':
      return end.reason === TIMED_OUT ? { kind: 'timed-out', timeoutMs, outputTail } : end;
    case 'trust-lost':
    case 'guard-lost':
      return { kind: 'lost', reason: end.kind, outputTail };
    case 'no-guard':
      return { kind: 'lost', reason: end.reason, outputTail };
    default:
      return unreachable(end);
  }
}
