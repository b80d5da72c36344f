/**
 * Live reload. The content is compared, not a modification time or an inode: a ConfigMap is swapped as a whole folder
 * behind a symbolic link, so the file is read again by its path. Scripts that appear or go beside the file count too,
 * because they give pipelines a runner. The last good configuration stays in force until a better one is there.
 */

import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { every, sleep } from '../foundation/loop.ts';
import type { Config } from './config.ts';
import { type ConfigText, hashOf, readConfigText } from './config-text.ts';
import type { Environment } from './expand.ts';
import { type ConfigFinding, warning } from './findings.ts';
import { buildConfig } from './load.ts';
import { findScript } from './pipelines.ts';
import type { Problem } from './problems.ts';

/** How often the content is compared, in ms. */
export const WATCH_INTERVAL_MS = 2000;

/** A file that two reads this far apart show the same way is not being written. */
const SETTLE_MS = 100;

export interface WatchOptions {
  readonly file: string;
  readonly env: Environment;
  /** What the process started with: its listeners stay until a restart. */
  readonly started: Config;
  readonly intervalMs: number;
  readonly signal: AbortSignal;
  /** A new good configuration; also when a bad file became the old good one again. */
  readonly onChange: (config: Config) => void;
  /** The file has turned bad: called once per content. The last good configuration stays in force. */
  readonly onBad: (problems: readonly Problem[]) => void;
  /** What a pass threw, which no content of the file does. */
  readonly onError: (error: unknown) => void;
}

/** Watches until the signal aborts; resolves once the last pass is over. */
export async function watchConfig(options: WatchOptions): Promise<void> {
  const { file, env, started, intervalMs, signal, onChange, onBad, onError } = options;
  let seen = started.catalog.hash;
  let { scripts } = started;

  await every({ intervalMs, signal, onError }, async () => {
    const read = await readConfigText(file);
    const content = contentOf(read);
    if (content === seen && isDeepStrictEqual(await findScripts(scripts, file), scripts)) return;
    // Half a file may be good YAML with half of the projects: what still changes is left for the next pass.
    await sleep(Math.min(SETTLE_MS, intervalMs), signal);
    if (contentOf(await readConfigText(file)) !== content) return;
    const loaded = read.ok
      ? await buildConfig({ file, env, text: read.text })
      : ({ ok: false, problems: [read.problem] } as const);
    if (signal.aborted) return;
    seen = content;
    if (loaded.ok) {
      scripts = loaded.config.scripts;
      onChange(withRestartFindings(loaded.config, started));
    } else {
      scripts = new Map();
      onBad(loaded.problems);
    }
  });
}

function contentOf(read: ConfigText): string {
  return read.ok ? hashOf(read.text) : read.problem.message;
}

/** For `/health` while a bad file is ignored. */
export function badReloadFinding(problems: readonly Problem[]): ConfigFinding {
  return warning(
    'config-bad-reload',
    `the changed config has ${problems.length} problem(s): the last good one stays in force; agent-smith validate names them`,
  );
}

/** What is opened once, at the start, keeps its old settings; the finding says so instead of pretending. */
function withRestartFindings(config: Config, started: Config): Config {
  const findings: ConfigFinding[] = [];
  if (!isDeepStrictEqual(config.server, started.server)) {
    findings.push(warning('needs-restart', 'the listener of webhooks has changed: this needs a restart'));
  }
  if (!isDeepStrictEqual(config.redis, started.redis)) {
    findings.push(warning('needs-restart', 'the redis section has changed: this needs a restart'));
  }
  if (!isDeepStrictEqual(tracesOf(config), tracesOf(started))) {
    findings.push(warning('needs-restart', 'the telemetry section has changed: this needs a restart'));
  }
  return { ...config, findings: [...config.findings, ...findings] };
}

function tracesOf({ traces, secrets }: Config): object {
  return { traces, target: secrets.traceTarget() };
}

async function findScripts(known: Config['scripts'], file: string): Promise<ReadonlyMap<string, string | undefined>> {
  const directory = path.dirname(path.resolve(file));
  const found = [...known.keys()].map(async (name) => [name, await findScript(directory, name)] as const);
  return new Map(await Promise.all(found));
}
