#!/usr/bin/env node
/** `agent-smith`: reads the command line, has the command do its work, and ends with its exit code. */
import { CommanderError } from 'commander';
import { messageOf } from '../foundation/errors.ts';
import { type ExitCode, outputTaken, UsageError } from './process.ts';
import { createProgram } from './program.ts';

let exitCode: ExitCode = 0;

try {
  await createProgram((code) => {
    exitCode = code;
  }).parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    exitCode = error.exitCode === 0 ? 0 : 2;
  } else if (error instanceof UsageError) {
    console.error(error.message);
    exitCode = 2;
  } else {
    console.error(`agent-smith: ${messageOf(error)}`);
    exitCode = 1;
  }
}
await outputTaken();
// Not only the exit code: what libraries still wait for, such as a Redis that is away, must not hold the process.
process.exit(exitCode);
