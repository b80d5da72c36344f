/** `agent-smith` as people start it: a process with arguments and an environment, in a folder of its own. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { onTestFinished, vi } from 'vitest';

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

export interface CliResult {
  readonly code: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/** An empty folder, with `agentsmith.yml` in it when a text is given. Removed with the test. */
export async function openDir(yaml?: string): Promise<string> {
  const dir = await mkdtemp(path.join(os.tmpdir(), 'agent-smith-cli-'));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  if (yaml !== undefined) await writeFile(path.join(dir, 'agentsmith.yml'), yaml);
  return dir;
}

/** Runs to the end. Of the environment of the tests only PATH, HOME and the compile cache are passed on. */
export async function runCli(
  args: readonly string[],
  options: { readonly dir: string; readonly env?: Readonly<Record<string, string>> },
): Promise<CliResult> {
  const { exitCode, stdout, stderr } = await execa(process.execPath, [MAIN, ...args], {
    cwd: options.dir,
    env: { ...passedOn(), ...options.env },
    extendEnv: false,
    reject: false,
    timeout: 15_000,
  });
  return { code: exitCode, stdout, stderr };
}

/** A command in this process, which is faster than starting one: its exit code and what it printed. */
export async function captured(command: () => Promise<number>): Promise<Pick<CliResult, 'code' | 'stdout'>> {
  const log = vi.spyOn(console, 'log').mockImplementation(() => undefined);
  try {
    const code = await command();
    return { code, stdout: log.mock.calls.map((args) => args.join(' ')).join('\n') };
  } finally {
    log.mockRestore();
  }
}

/** What a process of the house needs of the environment of the tests; the cache spares it to translate everything anew. */
export function passedOn(): Record<string, string | undefined> {
  const { PATH, HOME, NODE_COMPILE_CACHE } = process.env;
  return { PATH, HOME, NODE_COMPILE_CACHE };
}

/** One project `api` on a repository of an emulator. */
export function oneProject(url: string): string {
  return `projects:
  api:
    source: { type: GitHub, url: ${url} }
    tickets: { type: GitHub, url: ${url}, auth: token }
    pipeline: fix-bug
    github_trigger: { pipeline_from_label: { agent-smith: fix-bug } }
    polling: { enabled: true, interval_seconds: 1 }
pipelines:
  fix-bug: { command: ['true'] }
`;
}
