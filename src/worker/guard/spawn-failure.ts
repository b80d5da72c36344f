/** Why a program could not be started, as a sentence that says what to do. Never quotes arguments or the environment. */
import { statSync } from 'node:fs';
import path from 'node:path';
import { messageOf } from '../../foundation/errors.ts';
import type { GuardedSpec } from './guarded-process.ts';

export function explainSpawnFailure(error: unknown, spec: Pick<GuardedSpec, 'program' | 'cwd'>): string {
  const { program, cwd } = spec;
  const code: string = (error as NodeJS.ErrnoException).code ?? '';
  switch (code) {
    case 'ENOENT':
    case 'ENOTDIR':
      // The system answers the same for a missing folder, program and interpreter: look which it is.
      if (kindOf(cwd) === 'missing') return `The working folder ${cwd} does not exist.`;
      if (kindOf(cwd) === 'other') return `The working folder ${cwd} is not a folder.`;
      if (!program.includes('/')) return `The program ${program} was not found on the PATH.`;
      if (kindOf(path.resolve(cwd, program)) === 'missing') return `The program ${program} does not exist.`;
      return `The program ${program} exists, but the interpreter named in its first line does not.`;
    case 'EACCES':
      if (kindOf(path.resolve(cwd, program)) === 'folder') return `The program ${program} is a folder.`;
      return `The program ${program} is not executable (chmod +x), or the working folder ${cwd} may not be entered.`;
    case 'E2BIG':
      return `The arguments or the environment of ${program} are larger than this system allows.`;
    case 'ERR_INVALID_ARG_VALUE':
      // The message of Node quotes the value, which may be a secret.
      return 'The program, an argument, the working folder or an environment variable holds a NUL character or is empty.';
    default:
      return `The program ${program} could not be started: ${messageOf(error)}`;
  }
}

function kindOf(file: string): 'missing' | 'folder' | 'other' {
  try {
    return statSync(file).isDirectory() ? 'folder' : 'other';
  } catch {
    return 'missing';
  }
}
