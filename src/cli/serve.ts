/** Runs one replica until a signal: `agent-smith server`, and the second half of `dev`. */
import { createDryRun } from '../app/inquiry/dry-run.ts';
import { createApp } from '../app.ts';
import type { Environment } from '../config/expand.ts';
import { formatProblem } from '../config/problems.ts';
import { badReloadFinding, WATCH_INTERVAL_MS, watchConfig } from '../config/watch.ts';
import { DEFAULT_TIMING, scaleTiming } from '../domain/timing.ts';
import { messageOf, OperationError } from '../foundation/errors.ts';
import { parseRedisUrl } from '../redis/address.ts';
import { openConfig } from './open-config.ts';
import { type ExitCode, instanceName, openLog, UsageError, untilSignalled, version } from './process.ts';

export interface ServeOptions {
  /** `--config`. */
  readonly file?: string | undefined;
  /** `--port`; default the `PORT` variable, else 8081. */
  readonly port?: number | undefined;
  readonly host: string;
  readonly env: Environment;
  readonly cwd: string;
  /** The Redis server was started for this process alone. */
  readonly freshRedis: boolean;
  readonly adoptOrphans: boolean;
  /** Only look, and say what would be claimed. */
  readonly dryRun?: boolean;
  /** Factor on every duration of the protocol: tests and the demo run faster than production. */
  readonly timeScale: number;
  /** When to end; default: at the first SIGINT or SIGTERM. */
  readonly asked?: AbortSignal;
}

export async function serve(options: ServeOptions): Promise<ExitCode> {
  const { env } = options;
  const asked = options.asked ?? untilSignalled();
  const { file, config } = await openConfig(options);
  const redisUrl = config.secrets.redisUrl();
  const address = redisUrl === undefined ? undefined : parseRedisUrl(redisUrl);
  if (address?.ok === false) throw new UsageError(address.problem);

  const { log, redactor } = openLog(env);
  const timing = scaleTiming(DEFAULT_TIMING, options.timeScale);
  const create = options.dryRun === true ? createDryRun : createApp;
  const app = create({
    config,
    instance: instanceName(),
    version: version(),
    timing,
    host: options.host,
    port: options.port ?? config.server.port,
    hostEnv: env,
    freshRedis: options.freshRedis,
    adoptOrphans: options.adoptOrphans,
    log,
    redactor,
  });
  for (const { code, text } of config.findings) log.warn({ code }, text);
  try {
    await app.start();
  } catch (error) {
    await app.stop();
    // That of the listener for webhooks names its own setting.
    const another = error instanceof OperationError ? 'one' : '--port or --host';
    throw new UsageError(`the server cannot listen: ${messageOf(error)}; choose another ${another}`);
  }
  const watching = watchConfig({
    file,
    env,
    started: config,
    intervalMs: WATCH_INTERVAL_MS,
    signal: asked,
    onChange: (changed) => {
      app.findings.clear('config-bad-reload');
      app.reload(changed);
      log.info({ hash: changed.catalog.hash, projects: changed.catalog.projects.length }, 'config reloaded');
    },
    onBad: (problems) => {
      app.findings.raise(badReloadFinding(problems));
      log.error({ problems: problems.map((problem) => formatProblem(file, problem)) }, 'config not reloaded');
    },
    onError: (error) => log.error({ error: messageOf(error) }, 'config not watched'),
  });
  await watching;
  await app.stop();
  return 0;
}
