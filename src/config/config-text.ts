/** Which file it is, and what stands in it. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { messageOf } from '../foundation/errors.ts';
import type { Environment } from './expand.ts';
import type { Problem } from './problems.ts';

const DEFAULT_FILE = 'agentsmith.yml';

/** The file to load: `--config`, else `AGENTSMITH_CONFIG`, else `agentsmith.yml` in the working directory. Absolute. */
export function configFile(options: { flag?: string | undefined; env: Environment; cwd: string }): string {
  return path.resolve(options.cwd, options.flag ?? (options.env.AGENTSMITH_CONFIG || DEFAULT_FILE));
}

export type ConfigText =
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly problem: Problem };

/** Reads the file by its path; a file that is missing or unreadable is a problem in words. */
export async function readConfigText(file: string): Promise<ConfigText> {
  try {
    return { ok: true, text: await readFile(file, 'utf8') };
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) {
      return { ok: false, problem: { path: [], message: `cannot be read: ${messageOf(error)}` } };
    }
    const { dir, base } = path.parse(path.resolve(file));
    const message = `No ${base} in ${dir}: copy ${DEFAULT_FILE}.example, or pass --config`;
    return { ok: false, problem: { path: [], message } };
  }
}

/** Replicas compare this; the reload looks for changes of it. */
export function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
