/**
 * What outages are played on: a Redis that may be hurt, an emulated GitHub with one project that is polled and one that only
 * deliveries bring tickets to, and replicas with one slot each. Judged by the ledger that the commands write themselves and by
 * what GitHub shows, never by our own records.
 */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { DEFAULT_TIMING, scaleTiming } from '../../../src/domain/timing.ts';
import type { Fault, FaultMatcher, InjectedFault } from '../../../src/emulators/faults.ts';
import type { GitHubEmulator } from '../../../src/emulators/github/github-emulator.ts';
import { type House, openHouse, REPOSITORY, startHub } from '../../support/house.ts';
import { type HealthView, openSite, type Replica, type Site } from '../../support/replica.ts';
import type { Scope } from '../../support/scope.ts';
import { until } from '../../support/until.ts';
import { SECRET, webhookProject } from '../../webhooks/senders.ts';

/** Short, and yet long enough for the trust of 3 s to outlast a server that is started again on a busy machine. */
const SCALE = 0.1;
/** Of one wait: several windows of a recovery, on a machine that does a lot else. */
const PATIENCE_MS = 60_000;
/** Of one scene. */
export const SCENE_MS = 180_000;
/** Waits for what may take as long as that. */
export function eventually<T>(what: string, condition: () => T | Promise<T>): Promise<NonNullable<T>> {
  return until(what, condition, PATIENCE_MS);
}

/** Between two looks at what replicas say: they cost those who are looked at. */
const LOOK_MS = 50;

const HOOKED = 'org/other';
/** Works until the test lets it, or all of them, go. */
const UNTIL_GO =
  'GO="$(dirname "$0")/go"; while [ ! -e "$GO" ] && [ ! -e "$GO-$AGENTSMITH_PROJECT-$TICKET" ]; do sleep 0.05; done';

/** A ticket of the stage. */
export interface Case {
  /** `org/api#1`. */
  readonly ticket: string;
  readonly project: 'api' | 'hooked';
  readonly id: string;
}

/**
 * How a ticket fared: `start 1`, `start 1`, `end 1`, ... in the order of the ledger, by the number of its run and not of the
 * attempt, since a busy machine may lose one before its command starts; and the labels that it has.
 */
export interface Fate {
  readonly ticket: string;
  readonly lives: readonly string[];
  readonly labels: readonly string[];
}

export interface Stage {
  readonly hub: GitHubEmulator;
  readonly site: Site;
  /** Looks at the same Redis. */
  readonly house: House;
  readonly replicas: readonly Replica[];
  /** A new ticket with the trigger label, in the project that is polled or in the one that is told of by deliveries. */
  open(project?: Case['project']): Case;
  /** Something happens to the requests for a ticket: `/labels` or nothing more of its path. */
  spoil(
    of: Case,
    what: { readonly method: string; readonly tail?: string; readonly times?: number },
    fault: Fault,
  ): InjectedFault;
  /** Resolves when a delivery about it is kept: while they are refused it is told of again, as people do. */
  kept(of: Case): Promise<unknown>;
  /**
   * Two tickets in the midst of their way: one whose claim waits for the answer to its label, and one that a kept delivery has
   * told of and that cannot be read until `reading` is removed.
   */
  underWay(): Promise<{ readonly claimed: Case; readonly told: Case; readonly reading: InjectedFault }>;
  letGo(of: Case): Promise<void>;
  letAllGo(): Promise<void>;
  shows(of: Case, label: string): boolean;
  /** Resolves when its command has started. */
  started(of: Case): Promise<unknown>;
  /** Resolves when GitHub shows all of them as done and as nothing else. */
  done(of: readonly Case[]): Promise<unknown>;
  fates(of: readonly Case[]): Promise<Fate[]>;
  /** Whether it is so in what every replica says of itself. */
  everyHealth(isSo: (health: HealthView) => boolean): Promise<boolean>;
}

export interface StageOptions {
  readonly redisUrl: string;
  readonly replicas?: number;
}

/** Resolves when all replicas are ready, and deliveries arrive at the first of them. */
export async function openStage(scope: Scope, options: StageOptions): Promise<Stage> {
  const { redisUrl } = options;
  const hub = await startHub(scope);
  const timing = scaleTiming(DEFAULT_TIMING, SCALE);
  // Before any replica, so that none of them has to wait for data that was never there.
  const house = await openHouse({ scope, redisUrl, hub, timing });
  const hooked = webhookProject(hub).replace('api:', 'hooked:').replaceAll(REPOSITORY, HOOKED);
  const site = await openSite({
    scope,
    hub,
    redisUrl,
    work: UNTIL_GO,
    yaml: 'agent: { queue: { max_parallel_jobs: 1, consume_block_seconds: 1 } }',
    projects: `
  api:
    tickets: { type: GitHub, url: ${hub.pageUrl(REPOSITORY)}, auth: token }
    pipeline: fix-bug
    github_trigger: { pipeline_from_label: { agent-smith: fix-bug } }
    polling: { enabled: true, interval_seconds: 1 }${hooked}`,
  });
  const replicas = await Promise.all(
    Array.from({ length: options.replicas ?? 2 }, () =>
      site.start({ timeScale: SCALE, detached: true, env: { LOG_LEVEL: 'warn' } }),
    ),
  );
  // Longer than `start` would wait itself: many scenes may begin at once.
  await eventually('all are ready', async () =>
    (await Promise.all([...replicas.map(isReady), delay(LOOK_MS, true)])).every(Boolean),
  );
  hub.addWebhook(HOOKED, { url: `http://127.0.0.1:${replicas[0]?.port}/webhook/github`, secret: SECRET });

  const go = (name: string): Promise<void> => writeFile(path.join(site.dir, 'pipelines', name), '');
  const shows = ({ ticket }: Case, label: string): boolean => hub.issue(ticket).labels.includes(label);
  const livesOf = async ({ project, id }: Case): Promise<string[]> => {
    const lines = (await site.ledger()).filter((line) => line.project === project && line.ticket === id);
    const runs = [...new Set(lines.map(({ run }) => run))];
    return lines.map(({ event, run }) => `${event} ${runs.indexOf(run) + 1}`);
  };

  const isAbout = (body: string, { project, id }: Case): boolean =>
    project === 'hooked' && (JSON.parse(body) as { issue?: { number: number } }).issue?.number === Number(id);
  const tellAgain = ({ ticket }: Case): void => {
    hub.removeLabel(ticket, 'agent-smith');
    hub.addLabel(ticket, 'agent-smith');
  };

  const stage: Stage = {
    hub,
    site,
    house,
    replicas,
    open(project = 'api') {
      const { ticket, number } = hub.openIssue(project === 'api' ? REPOSITORY : HOOKED, { labels: ['agent-smith'] });
      return { ticket, project, id: String(number) };
    },
    spoil({ ticket }, { method, tail = '', times }, fault) {
      const matcher: FaultMatcher = {
        method,
        path: new RegExp(`/${ticket.replace('#', '/issues/')}${tail}(\\?|$)`),
        ...(times === undefined ? {} : { times }),
      };
      return hub.faults.inject(matcher, fault);
    },
    kept: (of) =>
      eventually(`a delivery about ${of.ticket} is kept`, async () => {
        await hub.webhooks.settled();
        if (hub.webhooks.attempts().some(({ status, delivery }) => status === 202 && isAbout(delivery.body, of)))
          return true;
        tellAgain(of);
        return false;
      }),
    async underWay() {
      const [claimed, told] = [stage.open(), stage.open('hooked')];
      const labels = { method: 'POST', tail: '/labels', times: 1 };
      const labelling = stage.spoil(claimed, labels, { kind: 'latency', delayMs: 900 });
      const reading = stage.spoil(told, { method: 'GET' }, { kind: 'answer', status: 503 });
      await stage.kept(told);
      await Promise.all([labelling.hit(), reading.hit()]);
      return { claimed, told, reading };
    },
    letGo: ({ project, id }) => go(`go-${project}-${id}`),
    letAllGo: () => go('go'),
    shows,
    started: (of) => eventually(`${of.ticket} has started`, async () => (await livesOf(of)).length > 0),
    done: (of) =>
      eventually('all are done', () => of.every(({ ticket }) => isDone(hub.issue(ticket)))).catch(async (error) => {
        throw new Error(JSON.stringify(await fatesOf(of)), { cause: error });
      }),
    fates: (of) => fatesOf(of),
    async everyHealth(isSo) {
      const healths = await Promise.all(replicas.map((replica) => replica.health()));
      await delay(LOOK_MS);
      return healths.every(isSo);
    },
  };
  return stage;

  function fatesOf(of: readonly Case[]): Promise<Fate[]> {
    return Promise.all(
      of.map(async (one) => ({ ticket: one.ticket, lives: await livesOf(one), labels: hub.issue(one.ticket).labels })),
    );
  }
}

/** Started once and ended once, and the label that says so: what every ticket of an outage should have. */
export function onceAndDone({ ticket }: Case): Fate {
  return { ticket, lives: ['start 1', 'end 1'], labels: ['agent-smith', 'agent-smith:done'] };
}

/** The command was stopped, and started once more for the same run. */
export function twiceAndDone(of: Case): Fate {
  return { ...onceAndDone(of), lives: ['start 1', 'start 1', 'end 1'] };
}

export const isRecovering = ({ findings }: HealthView): boolean => findings.some(({ code }) => code === 'recovering');

/** Whether a command of the ledger lives. */
export function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

const isDone = ({ labels }: { readonly labels: readonly string[] }): boolean =>
  labels.filter((label) => label.startsWith('agent-smith:')).join() === 'agent-smith:done';

const isReady = (replica: Replica): Promise<boolean> =>
  replica.ready().then(
    ({ code }) => code === 200,
    () => false,
  );
