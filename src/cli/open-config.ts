/** The configuration of a command that cannot do without one. */
import type { Config } from '../config/config.ts';
import { configFile } from '../config/config-text.ts';
import type { Environment } from '../config/expand.ts';
import { loadConfig } from '../config/load.ts';
import { formatProblem } from '../config/problems.ts';
import { UsageError } from './process.ts';

export interface ConfigPlace {
  /** `--config`; default `AGENTSMITH_CONFIG`, else `agentsmith.yml` in `cwd`. */
  readonly file?: string | undefined;
  readonly env: Environment;
  readonly cwd: string;
}

/** @throws UsageError with every problem of the file. */
export async function openConfig(place: ConfigPlace): Promise<{ readonly file: string; readonly config: Config }> {
  const file = configFile({ flag: place.file, env: place.env, cwd: place.cwd });
  const loaded = await loadConfig({ file, env: place.env });
  if (!loaded.ok) throw new UsageError(loaded.problems.map((problem) => formatProblem(file, problem)).join('\n'));
  return { file, config: loaded.config };
}
