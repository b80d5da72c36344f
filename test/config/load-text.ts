/** Loads a configuration from text, as if it stood in a folder that has nothing else in it. */
import { expect } from 'vitest';
import type { Config } from '../../src/config/config.ts';
import type { Environment } from '../../src/config/expand.ts';
import { buildConfig } from '../../src/config/load.ts';
import { formatProblem } from '../../src/config/problems.ts';

export const FOLDER = '/somewhere';

/** The configuration; fails the test with all problems if there are any. */
export async function load(text: string, env: Environment = {}): Promise<Config> {
  const loaded = await buildConfig({ file: `${FOLDER}/agentsmith.yml`, env, text });
  if (!loaded.ok)
    throw new Error(loaded.problems.map((problem) => formatProblem('agentsmith.yml', problem)).join('\n'));
  return loaded.config;
}

/** The problems as lines without the name of the file: `3:5: projects.a.poling: unknown key ...`. */
export async function problemsOf(text: string, env: Environment = {}): Promise<string[]> {
  const loaded = await buildConfig({ file: `${FOLDER}/agentsmith.yml`, env, text });
  expect(loaded.ok, 'the configuration is not supposed to load').toBe(false);
  return loaded.ok ? [] : loaded.problems.map((problem) => formatProblem('', problem).replace(/^:/, ''));
}

/** A project on GitHub with further lines of YAML, indented by four. */
export function project(name: string, url: string, more = ''): string {
  return `  ${name}:\n    tickets: { type: GitHub, url: "${url}" }\n${more === '' ? '' : `${more.replace(/^/gm, '    ')}\n`}`;
}
