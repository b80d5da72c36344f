/**
 * A replica of the demo: `agent-smith server` as a process of its own, that can be killed and started again. What it
 * says of itself is read from its `/health`, as an operator would.
 */
import { createWriteStream } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Agent, request } from 'undici';
import type { EngineKind } from '../../domain/project.ts';
import { endLeashed, type LeashedProcess, startLeashed } from '../../redis/embedded/leashed-process.ts';
import { type Claim, claimIn, portIn } from './replica-log.ts';

export interface ReplicaView {
  readonly name: string;
  readonly pid: number | undefined;
  /** `starting` until it answers, `killed` until it is started again. */
  readonly state: 'starting' | 'up' | 'killed';
  /** Roles that it leads, as it says itself. */
  readonly leads: readonly string[];
  readonly activeRuns: number;
  /** Its port, while it says that it takes webhooks. */
  readonly webhookPort: number | undefined;
  /** What wakes the ingress of each project, as it says itself. */
  readonly engines: ReadonlyMap<string, EngineKind>;
  /** When the last listing of each project that went well began; wall-clock ms. */
  readonly polls: ReadonlyMap<string, number>;
  /** The first error among its findings. */
  readonly problem: string | undefined;
}

export interface Replica {
  readonly name: string;
  view(): ReplicaView;
  /** Starts it; `onEnd` hears of an end that nobody asked for, with the last lines of its log. */
  start(): void;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
  /** SIGTERM, and SIGKILL for one that does not end; resolves when it is gone. */
  stop(): Promise<void>;
  /** What it has claimed since the last time that this was asked. */
  takeClaims(): readonly Claim[];
  /** Asks `/health`. Never throws. */
  look(): Promise<void>;
}

export interface ReplicaOptions {
  readonly name: string;
  readonly dir: string;
  readonly logFile: string;
  readonly config: string;
  readonly timeScale: number;
  /** Beside those of this process. */
  readonly env: Readonly<Record<string, string>>;
  readonly onEnd: (how: string) => void;
}

const MAIN = fileURLToPath(new URL('../main.ts', import.meta.url));
const HEALTH_TIMEOUT_MS = 2_000;
const STOP_TIMEOUT_MS = 8_000;
const REMEMBERED_LINES = 5;

interface Health {
  readonly roles: readonly { readonly role: string; readonly position: 'leader' | 'follower' }[];
  readonly active_runs: number;
  readonly subsystems: readonly { readonly name: string; readonly state: string }[];
  readonly projects: readonly {
    readonly name: string;
    readonly engine: { readonly effective?: EngineKind };
    readonly last_poll?: { readonly at_utc: string; readonly duration_ms: number; readonly result: string };
  }[];
  readonly findings: readonly { readonly severity: string; readonly text: string }[];
}

export function createReplica(options: ReplicaOptions): Replica {
  const { name } = options;
  // An agent of our own: a proxy that the environment names must not stand between us and our own machine.
  const agent = new Agent({ connect: { timeout: HEALTH_TIMEOUT_MS } });
  let child: LeashedProcess | undefined;
  let port: number | undefined;
  let health: Health | undefined;
  const claims: Claim[] = [];

  const forget = (): void => {
    child = undefined;
    port = undefined;
    health = undefined;
  };

  return {
    name,
    view: () => ({
      name,
      pid: child?.pid,
      state: child === undefined ? 'killed' : health === undefined ? 'starting' : 'up',
      leads: (health?.roles ?? []).filter(({ position }) => position === 'leader').map(({ role }) => role),
      activeRuns: health?.active_runs ?? 0,
      webhookPort: health?.subsystems.some(takesWebhooks) === true ? port : undefined,
      engines: new Map(
        health?.projects.flatMap(({ name, engine: { effective } }) =>
          effective === undefined ? [] : [[name, effective] as const],
        ),
      ),
      polls: new Map(
        health?.projects.flatMap(({ name, last_poll }) =>
          last_poll?.result === 'ok' ? [[name, Date.parse(last_poll.at_utc) - last_poll.duration_ms] as const] : [],
        ),
      ),
      problem: health?.findings.find(({ severity }) => severity === 'error')?.text,
    }),
    start() {
      const log = createWriteStream(options.logFile, { flags: 'a' });
      const lastLines: string[] = [];
      const args = ['server', '--config', options.config, '--host', '127.0.0.1', '--port', '0', '--no-adopt'];
      const started = startLeashed(process.execPath, [MAIN, ...args, '--time-scale', String(options.timeScale)], {
        cwd: options.dir,
        env: options.env,
        onLine: (line) => {
          log.write(`${line}\n`);
          lastLines.push(line);
          if (lastLines.length > REMEMBERED_LINES) lastLines.shift();
          const claim = claimIn(line);
          if (claim !== undefined) claims.push(claim);
          if (child === started) port ??= portIn(line);
        },
      });
      child = started;
      const watchEnd = async (): Promise<void> => {
        const how = await started.ended;
        log.end();
        if (child !== started) return;
        forget();
        options.onEnd([`${name} ended by itself: ${how}`, ...lastLines].join('\n'));
      };
      void watchEnd();
    },
    async kill() {
      const killed = child;
      forget();
      killed?.signal('SIGKILL');
      await killed?.ended;
    },
    async stop() {
      const stopping = child;
      forget();
      if (stopping !== undefined) await endLeashed(stopping, STOP_TIMEOUT_MS);
      await agent.destroy();
    },
    takeClaims: () => claims.splice(0),
    async look() {
      const asked = child;
      if (port === undefined) return;
      const url = `http://127.0.0.1:${port}/health`;
      const answer = await askHealth(url, agent).catch(() => undefined);
      // Only what the process that was asked says of itself; a silent one keeps its last word for the moment.
      if (asked === child && answer !== undefined) health = answer;
    },
  };
}

async function askHealth(url: string, dispatcher: Agent): Promise<Health> {
  const answer = await request(url, { dispatcher, signal: AbortSignal.timeout(HEALTH_TIMEOUT_MS) });
  return (await answer.body.json()) as Health;
}

function takesWebhooks({ name, state }: Health['subsystems'][number]): boolean {
  return name === 'webhooks' && state === 'up';
}
