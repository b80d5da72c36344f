/** The settings of one process: from the file (`agent`, `redis`, `runs`, `webhooks`) and from the environment. */
import type { Environment } from './expand.ts';
import { type ConfigFinding, warning } from './findings.ts';
import { formatPath, type Path, type Problem } from './problems.ts';
import type { ConfigFile, QueueConfig } from './schema.ts';

export interface AgentSettings {
  readonly maxParallelJobs: number;
  readonly consumeBlockSeconds: number;
  readonly shutdownGraceSeconds: number;
}

export interface RedisSettings {
  readonly namespace: string;
  /** `replicated`: claims, attempt starts, ends of runs and deliveries wait for one replica. */
  readonly durability: 'local' | 'replicated';
}

/** A second listener for webhooks alone. */
export interface WebhookListener {
  readonly host: string;
  readonly port: number;
  readonly path: string;
  readonly publicUrl?: string;
}

export interface ServerSettings {
  readonly port: number;
  readonly webhookListener?: WebhookListener;
}

const DEFAULT_PORT = 8081;
const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];

export function redisSettings(file: ConfigFile): RedisSettings {
  return file.redis ?? { namespace: 'agentsmith', durability: 'local' };
}

export function serverSettings(file: ConfigFile, env: Environment): ServerSettings {
  const port = readPort(env) ?? DEFAULT_PORT;
  if (file.webhooks === undefined) return { port };
  const { listen_host, listen_port, webhook_path, public_url } = file.webhooks;
  const listener = { host: listen_host, port: listen_port, path: webhook_path };
  return {
    port,
    webhookListener: public_url === undefined ? listener : { ...listener, publicUrl: public_url },
  };
}

/** The level for `createLog`; `info` when the variable is unset or wrong (which `environmentProblems` reports). */
export function logLevel(env: Environment): string {
  const level = env.LOG_LEVEL?.toLowerCase() ?? '';
  return LOG_LEVELS.includes(level) ? level : 'info';
}

export function environmentProblems(file: ConfigFile, env: Environment): Problem[] {
  const problems: Problem[] = [];
  if (isSet(env.PORT) && readPort(env) === undefined) {
    problems.push({ path: [], message: 'the environment variable PORT must be a port number, 0 to 65535' });
  }
  if (isSet(env.LOG_LEVEL) && !LOG_LEVELS.includes(env.LOG_LEVEL.toLowerCase())) {
    problems.push({ path: [], message: `the environment variable LOG_LEVEL must be one of ${LOG_LEVELS.join(', ')}` });
  }
  if (file.webhooks !== undefined && file.webhooks.listen_port === (readPort(env) ?? DEFAULT_PORT)) {
    problems.push({ path: ['webhooks', 'listen_port'], message: 'is the port of the server itself already' });
  }
  return problems;
}

/** 0 asks the system for a free port, as tests do. */
function readPort(env: Environment): number | undefined {
  const port = /^\d{1,5}$/.test(env.PORT ?? '') ? Number(env.PORT) : undefined;
  return port !== undefined && port <= 65_535 ? port : undefined;
}

function isSet(value: string | undefined): value is string {
  return value !== undefined && value !== '';
}

/**
 * One worker per process, so one record: the old root `queue`, then `agent.queue`, then the `agent` sections of the
 * projects, each merged over the one before. Two projects that want different things of the same key cannot both have
 * their way: that is a problem, not a silent choice.
 */
export function agentSettings(
  file: ConfigFile,
  projects: readonly string[],
): { settings: AgentSettings; problems: Problem[]; findings: ConfigFinding[] } {
  const problems: Problem[] = [];
  const asked = new Map<string, Path>();
  let queue: QueueConfig = { ...file.queue, ...file.agent?.queue };
  for (const project of projects) {
    const own = file.projects[project]?.agent?.queue ?? {};
    for (const [key, value] of Object.entries(own)) {
      if (value === undefined) continue;
      const path = ['projects', project, 'agent', 'queue', key];
      const earlier = asked.get(key);
      if (earlier !== undefined && queue[key as keyof QueueConfig] !== value) {
        problems.push({ path, message: `contradicts ${formatPath(earlier)}: there is one worker per process` });
      }
      asked.set(key, path);
      queue = { ...queue, [key]: value };
    }
  }
  const settings = {
    maxParallelJobs: queue.max_parallel_jobs ?? 4,
    consumeBlockSeconds: queue.consume_block_seconds ?? 5,
    shutdownGraceSeconds: queue.shutdown_grace_seconds ?? 30,
  };
  const findings =
    file.queue === undefined ? [] : [warning('queue-moved', 'the root section queue is now agent.queue')];
  return { settings, problems, findings };
}
